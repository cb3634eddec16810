"""How the command behaves: trials, second runs, what it refuses to do."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from messaging.models import Message, Participant
from operations.legacy_import import copying
from operations.legacy_import.indexes import set_aside
from operations.legacy_import.models import Finding, Move, Progress, SetAsideIndex
from operations.legacy_import.tests.conftest import MoveIn, found
from operations.legacy_import.tests.drill import compare
from operations.legacy_import.tests.old_backend import OldBackend
from operations.legacy_import.tests.town import expect, fill
from operations.maintenance.doctor.database import unfinished_import
from operations.maintenance.doctor.findings import Level
from reports.models import Report
from tests.factories import MessageFactory, UserFactory


def checksum() -> str:
    """Over every row of every table."""
    digest = hashlib.sha256()
    for model in apps.get_models(include_auto_created=True):
        for row in model._base_manager.order_by("pk").values_list():
            digest.update(repr((model._meta.label, row)).encode())
    return digest.hexdigest()


def small(old: OldBackend) -> None:
    for pk in (1, 2, 3):
        old.user(pk)
    old.message(1, 1, 2)
    old.message(2, 2, 1)
    old.message(3, 1, 1)
    old.report(1, 1, status="odd")
    old.add("sessions", id=1, user_id=1, session_token="t", expires_at="2025-03-01 12:00:00")


def test_a_town_arrives_whole(old: OldBackend, move_in: MoveIn) -> None:
    fill(old, users=1_000, messages=20_000)

    said = move_in(old, refuses=True)

    assert compare(expect(old), old) == 0
    assert "20,000" in said
    before = checksum()
    move_in(old, refuses=True)
    assert checksum() == before


def test_a_trial_writes_nothing_and_names_every_row(old: OldBackend, move_in: MoveIn) -> None:
    small(old)
    before = checksum()

    said = move_in(old, refuses=True, dry_run=True)

    assert checksum() == before
    assert "messages 3: its sender and its recipient are one (account 1)" in said
    assert "status taken as open" in said
    assert "sessions: 1 rows stay behind; everybody logs in once again." in said
    assert "This was a trial" in said
    assert "The new database is ready." in said
    assert "1 row(s) cannot be taken" in said


def test_a_trial_says_whether_the_new_database_is_ready(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1)
    UserFactory()

    assert "Not ready yet: The new database already holds 1 account." in move_in(old, dry_run=True)


def test_rows_go_into_files_where_wanted(old: OldBackend, move_in: MoveIn, tmp_path: Path) -> None:
    small(old)
    files = {"rejected": tmp_path / "rejected.csv", "changed": tmp_path / "changed.csv"}

    for _ in range(2):  # the second run tells of the first one's rows too
        move_in(old, refuses=True, **files)
        rows = {name: list(csv.DictReader(path.open())) for name, path in files.items()}

        assert [(row["table"], row["id"], row["outcome"]) for row in rows["rejected"]] == [
            ("messages", "3", "refused")
        ]
        assert [(row["table"], row["id"], row["detail"]) for row in rows["changed"]] == [
            ("reports", "1", "was 'odd'")
        ]


def test_a_second_run_changes_nothing_that_people_did(old: OldBackend, move_in: MoveIn) -> None:
    small(old)
    move_in(old, refuses=True)
    alice, bob = User.objects.get(pk=1), User.objects.get(pk=2)
    User.objects.filter(pk=3).delete()
    User.objects.filter(pk=1).update(bio="changed since")
    Message.objects.filter(pk=1).delete()
    MessageFactory(sender=alice, recipient=bob)
    before = checksum()

    move_in(old, refuses=True)

    assert checksum() == before


def test_rows_that_came_later_are_brought_after(old: OldBackend, move_in: MoveIn) -> None:
    small(old)
    move_in(old, refuses=True)
    old.user(4)
    old.message(4, 4, 1, conversation_id="team")
    old.message(5, 1, 2, parent_id=2)
    old.report(2, 4)

    move_in(old, refuses=True)

    assert Message.objects.get(pk=5).parent_id == 2
    assert dict(Participant.objects.filter(user=1).values_list("conversation_id", "last_message")) == {
        "conv_1_2": 5,
        "team": 4,
    }
    assert Report.objects.get(pk=2).reporter_id == 4


def test_what_was_made_here_since_is_never_written_over(old: OldBackend, move_in: MoveIn) -> None:
    small(old)
    move_in(old, refuses=True)
    new = UserFactory(username="New", email="new@example.org", phone_number="+4930123456")
    sent = MessageFactory(sender=User.objects.get(pk=1), recipient=new)
    MessageFactory(sender=User.objects.get(pk=2), recipient=new, conversation_id="team")
    old.user(new.pk, "somebody")
    old.user(new.pk + 1, "NEW")
    old.user(new.pk + 2, "other", email="NEW@example.org")
    old.user(new.pk + 3, "third", phone_number="+49 30 123456")
    old.message(sent.pk, 1, 2, content="from the old one")
    old.message(sent.pk + 7, 1, 2, conversation_id="team")

    move_in(old, refuses=True)

    assert found("users", new.pk) == ["refused: its id is taken in the new database"]
    assert found("users", new.pk + 1) == ["refused: its username is taken in the new database"]
    assert found("users", new.pk + 2) == ["refused: its e-mail address is taken in the new database"]
    assert User.objects.get(pk=new.pk + 3).phone_number is None
    assert found("messages", sent.pk) == ["refused: its id is taken in the new database"]
    assert Message.objects.get(pk=sent.pk).content == sent.content
    assert Message.objects.get(pk=sent.pk + 7).conversation_id == "team:1_2"


def test_an_import_that_breaks_off_goes_on(
    old: OldBackend, move_in: MoveIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(old, users=300, messages=6_000)
    monkeypatch.setattr(copying, "BATCH", 500)
    write, calls = copying.write_messages, 0

    def stop_in_time(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        written = write(*args, **kwargs)
        if calls % 5 == 0:
            raise KeyboardInterrupt
        return written

    monkeypatch.setattr(copying, "write_messages", stop_in_time)
    for copied in (2_000, 4_000):
        with pytest.raises(CommandError, match="Run the same again to go on"):
            move_in(old)
        assert Progress.objects.get(pk="messages").seen == copied

    move_in(old, refuses=True)
    assert compare(expect(old), old) == 0


def test_two_imports_at_once_do_nothing_twice(
    old: OldBackend, move_in: MoveIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.user(1)
    write = copying.Copy._write_users

    def overtake(self: Any, *args: Any) -> int:
        Progress.objects.filter(pk="users").update(last_id=7)
        return write(self, *args)

    monkeypatch.setattr(copying.Copy, "_write_users", overtake)
    with pytest.raises(CommandError, match="Another import into this database is at work"):
        move_in(old)
    assert not User.objects.exists()


@pytest.mark.parametrize("make", [UserFactory, lambda: Group.objects.create(name="vip")])
def test_a_database_with_rows_of_its_own_is_refused(old: OldBackend, move_in: MoveIn, make: Any) -> None:
    old.user(1)
    make()
    before = checksum()

    with pytest.raises(CommandError, match=r"already holds 1 (account|role)\. Ids are kept"):
        move_in(old)
    assert checksum() == before


def test_another_source_is_refused(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1)
    move_in(old)
    old.execute("UPDATE users SET created_at = '2020-01-01 00:00:00'")

    with pytest.raises(CommandError, match="holds an import of another source"):
        move_in(old)


def test_an_older_schema_will_do(tmp_path: Path, move_in: MoveIn) -> None:
    left_out = ["roles", "user_roles", "reports", "sessions", "refresh_tokens"]
    left_out += ["users.phone_number", "users.is_active", "messages.conversation_id", "messages.updated_at"]
    old = OldBackend(f"sqlite:///{tmp_path}/old.sqlite3", without=left_out)
    for pk in (1, 2):
        old.add("users", id=pk, username=f"u{pk}", email=f"u{pk}@example.org", is_active=...)
    old.message(1, 1, 2, updated_at=...)

    said = move_in(old)

    assert User.objects.filter(is_active=True).count() == 2
    assert Message.objects.get().conversation_id == "conv_1_2"
    assert "There is no table reports" in said
    assert "The table users has no is_active, phone_number" in said
    assert not Finding.objects.exists()
    old.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "must be the old backend's DATABASE_URL"),
        ("mysql://root@localhost/backend", "must be the old backend's DATABASE_URL"),
        ("backend.db", "must be the old backend's DATABASE_URL"),
        ("sqlite://", "must be the old backend's DATABASE_URL"),
        ("sqlite:///no/such/file.db", "There is no file no/such/file.db"),
        ("sqlite+aiosqlite:////no/such/file.db?timeout=5", "There is no file /no/such/file.db"),
        ("postgresql://nobody:secret@127.0.0.1:1/x", "postgresql://127.0.0.1/x cannot be reached"),
        ("postgresql+asyncpg://u:secret@127.0.0.1:1/x?ssl=no", "postgresql://127.0.0.1/x cannot be reached"),
    ],
)
def test_a_source_that_cannot_be_read(db: None, url: str, complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint) as raised:
        call_command("import_backend", url)

    assert "secret" not in str(raised.value)
    assert not Move.objects.exists()


def test_a_file_that_is_no_database(db: None, tmp_path: Path) -> None:
    (tmp_path / "old.db").write_text("This is no database, but long enough to be looked at as one. " * 20)

    with pytest.raises(CommandError, match="cannot be read: file is not a database"):
        call_command("import_backend", f"sqlite:///{tmp_path}/old.db")


@pytest.mark.parametrize(
    ("without", "complaint"),
    [
        (["users"], "has no table users"),
        (["messages"], "has no table messages"),
        (["users.hashed_password"], "The table users of .* lacks hashed_password"),
        (["messages.sender_id", "messages.content"], "lacks sender_id, content"),
    ],
)
def test_a_database_that_is_not_the_old_backends(
    tmp_path: Path, move_in: MoveIn, without: list[str], complaint: str
) -> None:
    old = OldBackend(f"sqlite:///{tmp_path}/old.sqlite3", loose=True, without=without)

    with pytest.raises(CommandError, match=complaint):
        move_in(old)
    old.close()


def test_the_source_is_never_written(old: OldBackend, move_in: MoveIn) -> None:
    small(old)
    before = [old.execute(f"SELECT * FROM {table} ORDER BY id") for table in ("users", "messages", "reports")]

    move_in(old, refuses=True)

    after = [old.execute(f"SELECT * FROM {table} ORDER BY id") for table in ("users", "messages", "reports")]
    assert after == before


def test_a_database_without_tables_is_told_so(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {Move._meta.db_table} RENAME TO gone")

    with pytest.raises(CommandError, match=r"run `manage\.py migrate`"), transaction.atomic():
        move_in(old)


# --- The indexes of messages -------------------------------------------------------------------

INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = 'messaging_message' ORDER BY 1"
STATISTICS = """
    SELECT c.relname, a.attnum, a.attstattarget
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_index i ON i.indexrelid = c.oid
    WHERE i.indrelid = 'messaging_message'::regclass ORDER BY 1, 2
"""


def asked(query: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.mark.postgres
def test_the_indexes_are_built_after_the_copy_and_are_what_they_were(
    old: OldBackend, move_in: MoveIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(old)
    before = asked(INDEXES), asked(STATISTICS)
    seen = []
    write = copying.write_messages

    def watch(*args: Any, **kwargs: Any) -> Any:
        seen.append(asked(INDEXES))
        return write(*args, **kwargs)

    monkeypatch.setattr(copying, "write_messages", watch)
    move_in(old, refuses=True)

    assert (asked(INDEXES), asked(STATISTICS)) == before
    [during] = seen
    assert 0 < len(during) < len(before[0])
    assert all(definition.startswith("CREATE UNIQUE INDEX") for (definition,) in during)
    assert SetAsideIndex.objects.count() == 0


@pytest.mark.postgres
@pytest.mark.parametrize("where", ["copying", "building"])
def test_a_run_that_is_cut_off_leaves_the_indexes_to_the_next(
    old: OldBackend, move_in: MoveIn, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    small(old)
    old.commit()
    before = asked(INDEXES), asked(STATISTICS)
    with monkeypatch.context() as patched:
        if where == "copying":
            patched.setattr(copying, "write_messages", interrupt)
        else:
            patched.setattr("operations.legacy_import.indexes._build", interrupt)
        with pytest.raises(CommandError, match="Interrupted"):
            call_command("import_backend", old.url)

    left = SetAsideIndex.objects.count()
    assert left == len(before[0]) - len(asked(INDEXES)) > 0
    assert unfinished_import().level is Level.ERROR

    move_in(old, refuses=True)
    assert (asked(INDEXES), asked(STATISTICS)) == before
    assert SetAsideIndex.objects.count() == 0
    assert unfinished_import().level is Level.OK


def interrupt(*args: Any, **kwargs: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.postgres
def test_the_indexes_of_a_table_with_messages_stay(db: None) -> None:
    MessageFactory()
    before = asked(INDEXES)

    set_aside(using="default")

    assert asked(INDEXES) == before
    assert SetAsideIndex.objects.count() == 0
