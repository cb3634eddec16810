"""A backup holds everything, and a restore brings all of it back."""

from io import StringIO
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import Max

from accounts.models import User
from aimessage.events.reading import CursorExpired, current_position, from_cursor, to_cursor
from aimessage.models import ThrottleWindow
from messaging.models import Message, Participant
from messaging.services.messages import send_message
from operations.maintenance.backup import sqlite
from operations.maintenance.backup.manifest import LEFT_OUT, read_manifest
from operations.maintenance.backup.restoring import restore_backup
from operations.maintenance.backup.writing import write_backup
from operations.maintenance.tests.conftest import Stock
from operations.maintenance.tests.databases import Databases, all_indexes, all_rows
from operations.maintenance.tests.restoring import kept_rows, restore
from reports.models import Report
from tests.factories import ReportFactory, UserFactory


def test_every_row_of_every_table_comes_back(databases: Databases, backup: Path) -> None:
    rows, indexes = kept_rows(), all_indexes()
    assert len(rows) > 20
    assert sum(map(len, rows.values())) > 100

    with databases.use(databases.make()):
        said = restore(backup)

        assert kept_rows() == rows
        assert all_indexes() == indexes
        tables = read_manifest(backup).contents.tables
        total = sum(table.rows for table in tables.values())
        assert f"{total:,} rows of {len(tables)} tables" in said
        assert "migrate" not in said


def test_events_do_not_come_back_and_cursors_expire(databases: Databases, backup: Path) -> None:
    cursor, held = to_cursor(current_position()), all_rows()
    assert held["events_event"]

    with databases.use(databases.make()):
        restore(backup)

        assert {name: rows for name, rows in all_rows().items() if name in LEFT_OUT and rows} == {}
        with pytest.raises(CursorExpired):
            from_cursor(cursor)


def test_the_restored_database_goes_on_where_the_other_stood(databases: Databases, backup: Path) -> None:
    newest = {model: model.objects.aggregate(pk=Max("pk"))["pk"] for model in (User, Message, Report)}

    with databases.use(databases.make()):
        restore(backup)
        call_command("migrate", verbosity=0)
        call_command("check", databases=["default"], stdout=StringIO())
        alice, bob = UserFactory(username="alice"), UserFactory(username="bob")
        message, _ = send_message(alice, content="on we go", recipient_id=bob.pk)
        report = ReportFactory(reporter=alice)

    assert alice.pk > newest[User]
    assert message.pk > newest[Message]
    assert report.pk > newest[Report] + 1, "the id of a row that was deleted came back"


def test_a_migrated_database_without_accounts_counts_as_empty(
    stock: Stock, databases: Databases, backup: Path
) -> None:
    rows = kept_rows()

    with databases.use(databases.make(stock.migrated)):
        restore(backup)
        assert kept_rows() == rows


class Writers:
    """Threads that send as fast as they can; `acknowledged` is what they were told was stored."""

    def __init__(self, pairs: list[tuple[User, User]]) -> None:
        self.acknowledged, self.lock, self.stopping = dict[int, tuple[int, int]](), Lock(), Event()
        self.threads = [Thread(target=self._send, args=pair, daemon=True) for pair in pairs]
        self.errors: list[Exception] = []

    def _send(self, sender: User, recipient: User) -> None:
        number = 0
        try:
            while not self.stopping.is_set():
                message, _ = send_message(sender, content=f"{number}", recipient_id=recipient.pk)
                with self.lock:
                    self.acknowledged[message.pk] = (sender.pk, number)
                number += 1
        except Exception as error:
            self.errors.append(error)
        finally:
            connections.close_all()

    def wait_for(self, more: int) -> None:
        """Until that many more were acknowledged."""
        goal, deadline = len(self.acknowledged) + more, monotonic() + 30
        while len(self.acknowledged) < goal:
            assert monotonic() < deadline, f"the writers stand still: {self.errors}"
            sleep(0.01)

    def __enter__(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *args: Any) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=30)


def test_a_backup_under_load_is_one_moment_and_holds_up_nobody(
    databases: Databases, live: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "STEP", 10)
    people = UserFactory.create_batch(4)
    pairs = [(people[0], people[1]), (people[1], people[0]), (people[2], people[3]), (people[3], people[0])]
    told = 0

    def tell(said: str) -> None:  # is called in the middle of the work
        nonlocal told
        told += 1
        if told <= 3:
            writers.wait_for(4)

    with Writers(pairs) as writers:
        writers.wait_for(20)
        before = dict(writers.acknowledged)
        write_backup(connection, tmp_path / "backup", on_progress=tell)
        after = len(writers.acknowledged)
    assert not writers.errors
    assert told >= 1
    assert after > len(before), "nobody wrote meanwhile"

    with databases.use(databases.make()):
        restore_backup(connection, tmp_path / "backup")
        restored = set(Message.objects.values_list("pk", flat=True))
        sent = Message.objects.filter(sender__in=people)
        assert before.keys() <= restored
        assert sent.count() < after, "it is not of the moment at which it was begun"
        for person in people:
            numbers = sent.filter(sender=person).order_by("pk").values_list("content", flat=True)
            assert list(numbers) == [str(number) for number in range(len(numbers))]
        for participant in Participant.objects.filter(user__in=people):
            newest = Message.objects.filter(conversation=participant.conversation).latest("pk")
            assert participant.last_message == newest


@pytest.mark.postgres
def test_what_a_newer_release_added_is_gone_after_a_restore(
    stock: Stock, databases: Databases, backup: Path
) -> None:
    rows = kept_rows()
    with databases.use(databases.make(stock.other)):
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE newer (sender_id bigint REFERENCES accounts_user (id))")

        restore(backup, force=True)

        assert kept_rows() == rows
        assert not any(all_rows()[name] for name in LEFT_OUT)


@pytest.mark.postgres
def test_throttles_count_on_after_a_restore(databases: Databases, backup: Path) -> None:
    with databases.use(databases.make()):
        restore(backup)
        assert ThrottleWindow.objects.get().count == 1
