"""Where backups are written, and which are removed."""

import os
import resource
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from accounts.models import User
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import manifest_path, read_manifest
from operations.maintenance.backup.writing import ENGINES, write_backup
from operations.maintenance.tests.conftest import Stock
from operations.maintenance.tests.databases import Databases
from operations.maintenance.tests.restoring import restore
from tests.factories import MessageFactory


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
