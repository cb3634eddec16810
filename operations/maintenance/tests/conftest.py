import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from accounts.models import MODERATOR, Role, User
from accounts.services.roles import assign_roles
from accounts.services.sessions import open_session
from accounts.services.users import delete_user
from aimessage.db.rate_windows import count_request
from messaging.services.messages import delete_message
from messaging.services.reading import mark_message_read
from operations.maintenance.backup.manifest import manifest_path
from operations.maintenance.backup.writing import write_backup
from operations.maintenance.tests.databases import Databases
from reports.models import Report
from reports.services import file_report
from tests.factories import BlockFactory, FailedLoginFactory, MessageFactory, UserFactory

#: What a dump's own syntax, or a sloppy copy of it, could stumble over.
HARD_TEXTS = [
    "\\.",
    "\\.\n\\.\n",
    "COPY public.messaging_message (id) FROM stdin;\n1\n\\.\n",
    "tab\tnewline\ncarriage\rreturn\\N\\n back\\slash 'quote' \"double\" $$dollar$$ %s %(x)s ;--",
    "École STRASSE straße İstanbul 日本語 👩‍👩‍👧‍👦 \u200f\u202e\ufeff \U0010ffff",
    "\x01\x1f\x7f\x85\u2028",
    "x" * 20_000,
]


@dataclass
class Stock:
    """What is slow to make, and shared by tests that leave it as it is."""

    databases: Databases
    #: A database as migrations leave it.
    migrated: str
    #: One with some of everything in it.
    populated: str
    #: One with a single account in it.
    other: str
    #: A backup of the populated one.
    backup: Path


@pytest.fixture(scope="session")
def stock(migrated: tuple[Databases, str], django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Stock]:
    folder = tmp_path_factory.mktemp("stock")
    fast = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
    with django_db_blocker.unblock(), fast:
        databases = Databases(folder)
        populated, other = databases.make(migrated[1]), databases.make(migrated[1])
        with databases.use(populated):
            populate()
            write_backup(connection, folder / "backup")
        with databases.use(other):
            UserFactory(username="precious")
        yield Stock(databases, migrated[1], populated, other, folder / "backup")
        databases.drop_all()


@pytest.fixture
def databases(stock: Stock, django_db_blocker: Any, tmp_path: Path) -> Iterator[Databases]:
    with django_db_blocker.unblock():
        databases = Databases(tmp_path)
        yield databases
        databases.drop_all()


@pytest.fixture
def source(stock: Stock, databases: Databases) -> Iterator[str]:
    """The populated database, in use; for tests that write nothing to it."""
    with databases.use(stock.populated):
        yield stock.populated


@pytest.fixture
def live(stock: Stock, databases: Databases) -> Iterator[str]:
    """A copy of it, in use, to write to."""
    name = databases.make(stock.populated)
    with databases.use(name):
        yield name


@pytest.fixture
def backup(stock: Stock, source: str, tmp_path: Path) -> Path:
    """A backup of the populated database, to spoil; its name tells nothing."""
    path = tmp_path / "backup"
    shutil.copy(stock.backup, path)
    shutil.copy(manifest_path(stock.backup), manifest_path(path))
    return path


def populate() -> None:
    superuser = UserFactory(username="root", is_superuser=True)
    people = [UserFactory(username=f"émile{number}", bio=text) for number, text in enumerate(HARD_TEXTS)]
    gone = UserFactory(username="gone")
    for number, text in enumerate(HARD_TEXTS):
        sender, recipient = people[number], people[number - 1]
        message = MessageFactory(sender=sender, recipient=recipient, content=text)
        MessageFactory(sender=recipient, recipient=sender, parent_id=message.pk)
        mark_message_read(message.pk, reader=recipient)
        file_report(recipient, title=f"{number}", content=text, message_id=message.pk)
        open_session(sender, device_info="Firefox", ip_address="2001:db8::1")
    delete_message(MessageFactory(sender=people[0], recipient=people[1]), actor=people[1])
    MessageFactory(sender=gone, recipient=people[0], content="left behind")
    BlockFactory(blocker=people[0], blocked=people[1])
    assign_roles(people[2], Role.objects.filter(name=MODERATOR), actor=superuser)
    delete_user(User.objects.get(pk=gone.pk), actor=superuser)
    FailedLoginFactory(ip_address="192.0.2.1")
    count_request("login:192.0.2.1", seconds=60)
    # The id of a row that is gone must not come back either.
    Report.objects.order_by("-pk").first().delete()
