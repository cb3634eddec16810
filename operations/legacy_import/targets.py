"""The database that an import writes to: the real one, or a throwaway one for a dry run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.utils import load_backend

from accounts.models import MODERATOR, Role, User
from messaging.models import Conversation, Message
from operations.legacy_import.drivers import SourceError, SQLiteDriver
from operations.legacy_import.models import Move
from operations.legacy_import.source import Source
from reports.models import Report

SCRATCH = "scratch"


class NotReady(Exception):
    """The new database cannot take the import; the message is for the operator."""


def check_target(source: Source) -> Move | None:
    """The earlier run that this one continues; None if the database is empty. Raises NotReady."""
    config = connections[DEFAULT_DB_ALIAS].settings_dict
    if isinstance(source.driver, SQLiteDriver) and source.driver.path == Path(config["NAME"]).resolve():
        raise NotReady(f"{source.name} is the new database itself; DATABASE_URL names it too.")
    try:
        move = Move.objects.first()
        foreign = _find_foreign() if move is None else ""
    except DatabaseError as error:
        raise NotReady("The new database has no tables yet, or old ones: run `manage.py migrate`.") from error
    if foreign:
        raise NotReady(
            f"The new database already holds {foreign}. Ids are kept, so it must be empty: name a fresh"
            " one in DATABASE_URL and run `manage.py migrate`. Superusers come along; no"
            " `createsuperuser` is needed before."
        )
    if move is not None and move.fingerprint != source.fingerprint():
        raise NotReady(
            f"The new database holds an import of another source, {move.source}: its first account is"
            f" not that of {source.name}."
        )
    return move


def _find_foreign() -> str:
    counts = {
        "account": User.objects.filter(assistant_profile__isnull=True).count(),
        "conversation": Conversation.objects.count(),
        "message": Message.objects.count(),
        "report": Report.objects.count(),
        "role": Group.objects.exclude(name=MODERATOR).count(),
    }
    return ", ".join(f"{count:,} {noun}{'s' * (count > 1)}" for noun, count in counts.items() if count)


@contextmanager
def scratch_database() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="import-backend-") as folder:
        config = {
            **connections[DEFAULT_DB_ALIAS].settings_dict,
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{folder}/scratch.sqlite3",
            "CONN_MAX_AGE": 0,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                # Nothing in it has to survive a crash.
                "init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY",
            },
        }
        connections[SCRATCH] = load_backend(config["ENGINE"]).DatabaseWrapper(config, SCRATCH)
        try:
            _make_tables()
            yield SCRATCH
        except OSError as error:
            raise SourceError(f"The trial's database in {folder} cannot be written: {error}.") from error
        finally:
            connections[SCRATCH].close()
            del connections[SCRATCH]


def _make_tables() -> None:
    # Not by migrations: one of them creates a role, always in the default database.
    with connections[SCRATCH].schema_editor() as editor:
        for model in apps.get_models():
            if model._meta.managed and not model._meta.proxy:
                editor.create_model(model)
    standing = Role.objects.filter(name=MODERATOR).values("pk", "name").first()
    Role.objects.using(SCRATCH).create(**(standing or {"name": MODERATOR}))
