"""Backup and restore on both databases, whole ones, through the real programs."""

import json
import os
import resource
import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.db.models import Max

from accounts.models import User
from aimessage.events.reading import CursorExpired, current_position, from_cursor, to_cursor
from aimessage.models import ThrottleWindow
from messaging.models import Message, Participant
from messaging.services.messages import send_message
from operations.maintenance.backup import sqlite
from operations.maintenance.backup.client import Client
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import LEFT_OUT, manifest_path, read_manifest
from operations.maintenance.backup.restoring import restore_backup
from operations.maintenance.backup.writing import ENGINES, write_backup
from operations.maintenance.tests.conftest import Stock
from operations.maintenance.tests.databases import Databases, Rows, all_indexes, all_rows
from reports.models import Report
from tests.factories import MessageFactory, ReportFactory, UserFactory


def restore(path: Path, **options: Any) -> str:
    out = StringIO()
    call_command("restore", str(path), stdout=out, **options)
    return out.getvalue()


def edit_manifest(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    raw = json.loads(manifest_path(path).read_text())
    edit(raw)
    manifest_path(path).write_text(json.dumps(raw))


# --- Whole and the same ------------------------------------------------------------------------


def kept_rows() -> Rows:
    """The rows of all tables that a backup has."""
    return {name: rows for name, rows in all_rows().items() if name not in {*LEFT_OUT, "events_state"}}


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


# --- Where it is written -----------------------------------------------------------------------


def test_nobody_else_can_read_a_backup(stock: Stock) -> None:
    for path in (stock.backup, manifest_path(stock.backup)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps its files itself")
@pytest.mark.parametrize("standing", [False, True])
def test_nobody_else_can_read_what_is_restored(
    databases: Databases, backup: Path, tmp_path: Path, standing: bool
) -> None:
    before = os.umask(0o022)
    try:
        name = databases.make()
        if standing:
            Path(name).touch(mode=0o644)
        with databases.use(name):
            restore(backup)
            User.objects.update(bio="")
            files = list(Path(name).parent.glob(f"{Path(name).name}*"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    finally:
        os.umask(before)

    assert set(modes.values()) == {0o600}, modes


def test_a_backup_overwrites_only_by_force(backup: Path, live: str) -> None:
    before, rows = (
        (backup.read_bytes(), manifest_path(backup).read_bytes()),
        read_manifest(backup).contents.rows,
    )
    MessageFactory()

    with pytest.raises(CommandError, match=r"exists.*--force"):
        call_command("backup", str(backup))
    assert (backup.read_bytes(), manifest_path(backup).read_bytes()) == before

    call_command("backup", str(backup), force=True, stdout=StringIO())
    assert read_manifest(backup).contents.rows > rows
    assert backup.read_bytes() != before[0]
    assert "whole" in restore(backup, check=True)


def test_a_name_that_is_taken_meanwhile_stays_as_it_is(source: str, tmp_path: Path) -> None:
    path = tmp_path / "backup"

    with pytest.raises(BackupError, match="exists"):
        write_backup(connection, path, on_progress=lambda said: path.write_text("somebody else's"))  # type: ignore[arg-type,return-value]

    assert path.read_text() == "somebody else's"
    assert not manifest_path(path).exists()


@pytest.mark.parametrize("force", [False, True])
def test_a_backup_that_fails_leaves_nothing_and_spoils_nothing(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    path = folder / "backup"
    if force:
        path.write_text("yesterday's")

    def check(*args: Any) -> None:
        raise BackupError("The copy is not what the database held.")

    monkeypatch.setattr(ENGINES[connection.vendor], "check_dump", check)
    with pytest.raises(CommandError, match=r"No backup was written\. The copy is not"):
        call_command("backup", str(path), force=force)

    assert [(file.name, file.read_text()) for file in folder.iterdir()] == (
        [("backup", "yesterday's")] if force else []
    )


def test_a_full_disk_is_told_and_leaves_nothing(source: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(CommandError, match="No backup was written"):
            call_command("backup", str(folder / "backup"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_is_none_is_told(source: str, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CommandError, match="Nothing can be written to"):
        call_command("backup", str(tmp_path / folder / "backup"))


@pytest.mark.parametrize("keep", [0, -1])
def test_a_senseless_number_to_keep_is_refused(source: str, tmp_path: Path, keep: int) -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("backup", str(tmp_path), keep=keep)
    assert not list(tmp_path.glob("aimessage-*"))


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with backups of five days, and what others keep there."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for day in range(1, 6):
        for name in (f"aimessage-2026010{day}T030000Z.dump", f"aimessage-2026010{day}T030000Z.dump.json"):
            (folder / name).write_text("")
    for name in ("aimessage-20260101T030001Z.dump", "aimessage-old.dump", "notes", "aimessage.dump.json"):
        (folder / name).write_text("")
    return folder


def test_rotation_removes_its_own_oldest_after_the_new_one_is_good(source: str, shelf: Path) -> None:
    unfinished = shelf / ".aimessage-unfinished-1"
    unfinished.write_text("")
    os.utime(unfinished, (0, 0))
    young = shelf / ".aimessage-unfinished-2"
    young.write_text("")

    call_command("backup", str(shelf), keep=3, stdout=StringIO())

    names = {path.name for path in shelf.iterdir()}
    (new,) = (path for path in shelf.glob("aimessage-2*") if path.stat().st_size and path.suffix != ".json")
    assert "whole" in restore(new, check=True)
    kept = {f"aimessage-2026010{day}T030000Z.dump{end}" for day in (4, 5) for end in ("", ".json")}
    others = {"aimessage-20260101T030001Z.dump", "aimessage-old.dump", "notes", "aimessage.dump.json"}
    assert names == kept | others | {new.name, manifest_path(new).name, young.name}


def test_rotation_removes_nothing_where_the_new_one_is_not_good(
    source: str, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {path.name for path in shelf.iterdir()}

    def check(*args: Any) -> None:
        raise BackupError("no good")

    monkeypatch.setattr(ENGINES[connection.vendor], "check_dump", check)
    with pytest.raises(CommandError):
        call_command("backup", str(shelf), keep=1)

    assert {path.name for path in shelf.iterdir()} == names


def test_a_copy_that_lacks_a_row_is_no_backup(backup: Path, live: str) -> None:
    contents = read_manifest(backup).contents
    MessageFactory()
    engine = ENGINES[connection.vendor]
    new_file = backup.with_name("other")
    new_file.touch()
    with_one_more = engine.dump(connection, new_file, lambda said: None)

    engine.check_dump(connection, backup, contents, lambda said: None)
    with pytest.raises(BackupError, match="not what the database held"):
        engine.check_dump(connection, backup, with_one_more, lambda said: None)


def test_a_database_without_tables_is_not_backed_up(databases: Databases, tmp_path: Path) -> None:
    with databases.use(databases.make()):
        connection.ensure_connection()  # which makes the file that SQLite needs
        with pytest.raises(CommandError, match="nothing to back up"):
            call_command("backup", str(tmp_path / "backup"))
    assert not (tmp_path / "backup").exists()


# --- What is not restored ----------------------------------------------------------------------


def refused(stock: Stock, path: Path, match: str, **options: Any) -> None:
    """Asserts that the restore is refused, and that the database with the account is as it was."""
    with stock.databases.use(stock.other):
        before = all_rows()
        with pytest.raises(CommandError, match=match):
            restore(path, **options)
        assert all_rows() == before


def test_a_database_that_holds_something_is_destroyed_only_by_force(
    stock: Stock, databases: Databases, backup: Path
) -> None:
    rows = kept_rows()
    refused(stock, backup, r"not empty: it holds 1 rows \(1 in accounts_user\).*--force")

    with databases.use(databases.make(stock.other)):
        restore(backup, force=True)
        assert kept_rows() == rows


def damage(backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 0xFF
    backup.write_bytes(content)


def cut(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (damage, "is damaged"),
        (cut, "is damaged"),
        (lambda backup: backup.unlink(), "No such file"),
        (lambda backup: manifest_path(backup).unlink(), "json is missing"),
        (lambda backup: manifest_path(backup).write_text("{}"), "cannot be read"),
        (lambda backup: manifest_path(backup).write_text("[1"), "cannot be read"),
        (lambda backup: edit_manifest(backup, lambda raw: raw.update(format=2)), "another release"),
    ],
)
def test_a_damaged_backup_is_refused_and_changes_nothing(
    stock: Stock, backup: Path, spoil: Callable[[Path], None], match: str
) -> None:
    spoil(backup)

    refused(stock, backup, match, force=True)


def test_rows_that_the_manifest_does_not_know_are_not_restored(stock: Stock, backup: Path) -> None:
    def forge(raw: dict[str, Any]) -> None:
        (name,) = (name for name in raw["contents"]["tables"] if name.endswith("messaging_message"))
        raw["contents"]["tables"][name]["digest"] += "1"

    edit_manifest(backup, forge)

    refused(stock, backup, "manifest", force=True)


def test_a_backup_of_the_other_database_is_refused(stock: Stock, backup: Path) -> None:
    edit_manifest(backup, lambda raw: raw["contents"].update(vendor="oracle"))

    refused(stock, backup, "The backup is of oracle", force=True)


def test_a_backup_of_a_newer_release_is_refused(stock: Stock, backup: Path) -> None:
    edit_manifest(backup, lambda raw: raw["contents"]["migrations"].append("messaging.0999_future"))

    refused(stock, backup, "does not know its migration messaging.0999_future", force=True)


def test_a_backup_of_an_older_release_says_to_migrate(databases: Databases, backup: Path) -> None:
    edit_manifest(backup, lambda raw: raw["contents"]["migrations"].remove("messaging.0002_message_keyed"))

    with databases.use(databases.make()):
        assert "before 1 migration(s) of this release. Run: manage.py migrate" in restore(backup)


def test_a_database_in_use_is_not_replaced(stock: Stock, backup: Path) -> None:
    with stock.databases.use(stock.other):
        server = connection.copy()
        with closing(server), server.cursor() as cursor:
            cursor.execute("SELECT 1")
            with pytest.raises(CommandError, match="Stop the server first"):
                restore(backup, force=True)
        assert list(User.objects.values_list("username", flat=True)) == ["precious"]


def test_a_check_restores_nothing(stock: Stock, backup: Path) -> None:
    with stock.databases.use(stock.other):
        assert "whole" in restore(backup, check=True)
        assert User.objects.count() == 1
    damage(backup)
    refused(stock, backup, "is damaged", check=True)


def test_a_restore_that_runs_into_a_full_disk_changes_nothing(stock: Stock, backup: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the disk is the server's; a restore that is cut off is tested below")
    with stock.databases.use(stock.other):
        before = all_rows()
        size = Path(stock.other).stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        assert backup.stat().st_size > size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, hard))
        try:
            with pytest.raises(CommandError, match="Nothing was restored"):
                restore(backup, force=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert all_rows() == before


# --- PostgreSQL's programs ---------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a script in front of the program of that name."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return folder

    return put


@pytest.mark.postgres
def test_without_pg_dump_the_package_is_named(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError, match=r"pg_dump is not installed.*apt install postgresql-client"):
        call_command("backup", str(tmp_path / "backup"))


@pytest.mark.postgres
def test_a_pg_dump_older_than_the_server_is_told(source: str, tmp_path: Path, program: Any) -> None:
    program("pg_dump", 'echo "pg_dump (PostgreSQL) 9.6.24"')

    with pytest.raises(CommandError, match=r"pg_dump is of version 9, .* postgresql-client-\d+"):
        call_command("backup", str(tmp_path / "backup"))


#: What pg_restore says first, from version 17 on; servers before 17 do not know the setting.
NEWER = "sed '0,/^SET statement_timeout/s//SET transaction_timeout = 0;\\nSET statement_timeout/'"


@pytest.fixture
def client_of(program: Any) -> Callable[..., None]:
    """Makes PostgreSQL's programs those of another version; `restores` says how pg_restore writes."""

    def put(*versions: str, restores: str = "cat") -> None:
        for name, version in zip(("pg_dump", "pg_restore", "psql"), versions, strict=True):
            real = shutil.which(name)
            output = f" | {restores}" if name == "pg_restore" else ""
            program(
                name,
                f'case "$*" in *--version*) echo "{name} (PostgreSQL) {version}"; exit;; esac\n'
                f'set -o pipefail; "{real}" "$@"{output}',
            )

    return put


@pytest.mark.postgres
@pytest.mark.parametrize("ours", ["15.20", "16.2", "17.6 (Debian 17.6-1)", "18.4", "99beta1"])
def test_a_newer_client_restores_what_it_backed_up(
    databases: Databases, source: str, tmp_path: Path, client_of: Any, ours: str
) -> None:
    rows, indexes = kept_rows(), all_indexes()
    server = connection.pg_version // 10000
    if int(ours[:2]) < server:
        pytest.skip("older than the server")
    client_of(ours, ours, ours, restores=NEWER)

    call_command("backup", str(tmp_path / "backup"), stdout=StringIO())
    assert "whole" in restore(tmp_path / "backup", check=True)
    with databases.use(databases.make()):
        restore(tmp_path / "backup")
        assert (kept_rows(), all_indexes()) == (rows, indexes)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "versions",
    [
        ("13.1", "13.1", "13.1"),
        ("17.6", "15.20", "17.6"),
        ("17.6", "17.6", "15.20"),
        ("17.6", "17.6", "17.5"),
    ],
)
def test_a_client_that_could_not_restore_it_makes_no_backup(
    source: str, tmp_path: Path, client_of: Any, versions: tuple[str, str, str]
) -> None:
    client_of(*versions)

    with pytest.raises(CommandError, match=r"No backup was written.*version.*postgresql-client-\d+"):
        call_command("backup", str(tmp_path / "backup"))
    assert not list(tmp_path.glob("*backup*"))


@pytest.mark.postgres
def test_a_file_of_a_newer_pg_dump_is_no_good_here(stock: Stock, backup: Path, client_of: Any) -> None:
    client_of("15.20", "15.20", "15.20", restores="false")

    refused(stock, backup, "pg_restore failed", check=True)


@pytest.mark.postgres
def test_settings_inside_of_texts_are_restored(databases: Databases, live: str, tmp_path: Path) -> None:
    text = "SET no_such_setting = 0;\nSET no_such_setting = 0;\n"
    MessageFactory(content=text)
    write_backup(connection, tmp_path / "backup")

    with databases.use(databases.make()):
        restore(tmp_path / "backup")
        assert Message.objects.latest("pk").content == text


@pytest.mark.postgres
def test_the_password_and_tls_go_by_the_environment(source: str, tmp_path: Path, program: Any) -> None:
    seen = tmp_path / "seen"
    program(
        "pg_dump",
        f'case "$*" in *--version*) exit;; esac; {{ echo "$@"; env; }} > {seen}\n'
        'echo "pg_dump: error: no" >&2; exit 1',
    )
    settings = connection.settings_dict
    options = {**settings["OPTIONS"], "sslmode": "prefer", "sslrootcert": "/etc/root.pem"}
    connection.close()
    connection.settings_dict = {**settings, "PASSWORD": "s3cret'$x", "OPTIONS": options}

    with pytest.raises(CommandError, match="pg_dump failed: pg_dump: error: no"):
        call_command("backup", str(tmp_path / "backup"))

    arguments, _, environment = seen.read_text().partition("\n")
    assert "s3cret" not in arguments
    for line in ("PGPASSWORD=s3cret'$x", "PGSSLMODE=prefer", "PGSSLROOTCERT=/etc/root.pem"):
        assert line in environment.splitlines()
    assert f"PGDATABASE={settings['NAME']}" in environment.splitlines()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "script",
    [
        pytest.param("head -c 20000 $dump; exit 1", id="reading fails"),
        pytest.param("kill -9 $$", id="reading is killed"),
        pytest.param("echo 'SELECT 1/0;'; cat $dump", id="a statement fails at the start"),
        pytest.param("cat $dump; echo 'SELECT 1/0;'", id="a statement fails at the end"),
        pytest.param("cat $dump; echo 'DELETE FROM public.messaging_message;'", id="rows are missing"),
        pytest.param("cat $dump; echo 'CREATE TABLE public.more ();'", id="a table is too many"),
        pytest.param("true", id="nothing comes"),
    ],
)
def test_a_restore_that_is_cut_off_changes_nothing(
    stock: Stock, backup: Path, program: Any, tmp_path: Path, script: str
) -> None:
    sql = tmp_path / "dump.sql"
    with Client(connection).running("pg_restore", f"--file={sql}", str(backup)):
        pass
    program("pg_restore", f"dump={sql}; {script}")

    refused(stock, backup, "Nothing was restored", force=True)


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
