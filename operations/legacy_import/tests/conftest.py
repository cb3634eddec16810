from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import User
from messaging.models import Message
from operations.legacy_import.models import Finding
from operations.legacy_import.tests.old_backend import OldBackend
from reports.models import Report

MoveIn = Callable[..., str]


@pytest.fixture
def old(tmp_path: Path) -> Iterator[OldBackend]:
    """The former backend's database, on the kind of server that the suite runs on."""
    if connection.vendor == "sqlite":
        backend = OldBackend(f"sqlite:///{tmp_path}/old.sqlite3")
        yield backend
        backend.close()
        return
    server = connection.settings_dict
    name = f"{server['NAME']}_old"
    base = f"postgresql://{server['USER']}@{server['HOST']}:{server['PORT'] or 5432}"
    if server["PASSWORD"]:
        base = base.replace("@", f":{server['PASSWORD']}@", 1)
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
        backend = OldBackend(f"{base}/{name}")
        yield backend
        backend.close()
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def loose(tmp_path: Path) -> Iterator[OldBackend]:
    """One without constraints, in SQLite, so that its cells can hold anything."""
    backend = OldBackend(f"sqlite:///{tmp_path}/loose.sqlite3", loose=True)
    yield backend
    backend.close()


@pytest.fixture
def move_in(db: None) -> MoveIn:
    """Runs the import; what it says, a final complaint about rows included."""
    if connection.vendor == "postgresql":
        # A rollback leaves sequences as they are, unless they were restarted within it.
        with connection.cursor() as cursor:
            for model in (User, Message, Report):
                table = connection.ops.quote_name(model._meta.db_table)
                cursor.execute(f"ALTER TABLE {table} ALTER COLUMN id RESTART")

    def run(old: OldBackend, *, refuses: bool = False, **options: Any) -> str:
        old.commit()
        out = StringIO()
        if not refuses:
            call_command("import_backend", old.url, stdout=out, **options)
            return out.getvalue()
        with pytest.raises(CommandError) as raised:
            call_command("import_backend", old.url, stdout=out, **options)
        assert raised.value.returncode == 2
        return f"{out.getvalue()}{raised.value}"

    return run


def found(table: str, row_id: Any) -> list[str]:
    """What was remembered of a row: the outcome and the reason."""
    rows = Finding.objects.filter(table=table, row_id=str(row_id)).order_by("pk")
    return [f"{row.outcome}: {row.reason}" for row in rows]
