"""Backs up SQLite by its online backup, in one read transaction: writers neither wait nor disturb it."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db.backends.base.base import BaseDatabaseWrapper

from aimessage.files import PRIVATE, create_private
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import LEFT_OUT, NO_ROWS, Contents, Manifest, Table
from operations.maintenance.backup.progress import OnProgress

SUFFIX = ".sqlite3"
#: Pages that are copied between two reports of progress.
STEP = 4096
#: Seconds to wait for a lock.
TIMEOUT = 20


def dump(connection: BaseDatabaseWrapper, target: Path, on_progress: OnProgress) -> Contents:
    """Writes a copy to `target`, and returns what it holds. Raises BackupError."""
    with _opened(_file(connection)) as source, _opened(target) as copy:
        # Outside of a transaction, the backup starts over whenever another process writes.
        source.execute("BEGIN")
        contents = _read_contents(source)

        def copied(status: int, remaining: int, total: int) -> None:
            on_progress(f"{total - remaining:,} of {total:,} pages copied")

        source.backup(copy, pages=STEP, progress=copied, sleep=0)
        source.execute("ROLLBACK")
        for name in LEFT_OUT:
            if name in contents.tables:
                copy.execute(f"DELETE FROM {name}")  # noqa: S608
        # DELETE leaves the rows' contents in free pages.
        copy.execute("VACUUM")
        # WAL mode would keep a second file beside the copy.
        copy.execute("PRAGMA journal_mode=DELETE")
    return contents


def check_dump(
    connection: BaseDatabaseWrapper, backup: Path, contents: Contents, on_progress: OnProgress
) -> None:
    """Reads the whole copy back. Raises BackupError if it differs from `contents`."""
    on_progress("reading it back")
    with _opened(backup) as copy:
        _check_integrity(copy, backup)
        if not contents.same_rows(_read_contents(copy)):
            raise BackupError("The copy is not what the database held when it was begun.")


def load(connection: BaseDatabaseWrapper, backup: Path, manifest: Manifest, on_progress: OnProgress) -> None:
    """Replaces the database's contents by the backup, in one transaction.

    Raises BackupError if the backup is not what its manifest says, or somebody else has the database open;
    then nothing is changed.
    """
    connection.close()
    with _opened(backup) as source:
        on_progress("checking")
        _check_integrity(source, backup)
        if not manifest.contents.same_rows(_read_contents(source)):
            raise BackupError(f"{backup} does not hold what its manifest says.")
        with _opened(_file(connection), create=True) as target:
            _refuse_other_processes(target)
            on_progress("restoring")
            # All pages in one step is one transaction: if it is cut off, nothing is changed.
            source.backup(target, pages=-1)
            if not manifest.contents.same_rows(_read_contents(target)):
                raise BackupError("What was restored is not what the backup holds. Is the disk sound?")
        # An existing file may have been readable for others.
        _file(connection).chmod(PRIVATE)


def _file(connection: BaseDatabaseWrapper) -> Path:
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        raise BackupError("A database in memory has no file to back up or to restore.")
    return Path(connection.settings_dict["NAME"]).absolute()


@contextmanager
def _opened(file: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """Opens the database, and turns errors of SQLite within the block into BackupError."""
    try:
        if create:
            create_private(file)
        address = f"file:{quote(str(file))}?mode=rw"
        opened = sqlite3.connect(address, uri=True, timeout=TIMEOUT, isolation_level=None)
        with closing(opened):
            opened.text_factory = bytes
            yield opened
    except sqlite3.Error as error:
        raise BackupError(f"{file}: {error}") from error
    except OSError as error:
        raise BackupError(f"{file}: {error.strerror}") from error


def _check_integrity(database: sqlite3.Connection, file: Path) -> None:
    faults = database.execute("PRAGMA integrity_check(1)").fetchall()
    if faults != [(b"ok",)]:
        raise BackupError(f"{file} is damaged: {faults[0][0].decode(errors='replace')}")
    if database.execute("PRAGMA foreign_key_check").fetchone():
        raise BackupError(f"{file} is damaged: rows refer to others that are not there.")


def _read_contents(database: sqlite3.Connection) -> Contents:
    names = [
        name.decode()
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            " ORDER BY name"
        )
    ]
    if "django_migrations" not in names:
        raise BackupError("There is nothing to back up: the database has no table of migrations.")
    tables = {name: NO_ROWS if name in LEFT_OUT else _digest(database, name) for name in names}
    applied = database.execute("SELECT app, name FROM django_migrations ORDER BY id")
    migrations = [f"{app.decode()}.{name.decode()}" for app, name in applied]
    return Contents("sqlite", sqlite3.sqlite_version, migrations, tables)


def _digest(database: sqlite3.Connection, name: str) -> Table:
    rows = total = 0
    quoted = name.replace('"', '""')
    for row in database.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608
        rows += 1
        total += int.from_bytes(hashlib.sha256(repr(row).encode()).digest()[:8])
    return Table(rows, str(total))


def _refuse_other_processes(target: sqlite3.Connection) -> None:
    # What they write now would be lost.
    target.execute("PRAGMA busy_timeout=1000")
    try:
        # Leaving WAL mode fails while another process has the database open.
        target.execute("PRAGMA journal_mode=DELETE").fetchone()
        target.execute("BEGIN EXCLUSIVE")
        target.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise BackupError(
            "Somebody else has the database open. Stop the server first, and whatever else uses it."
        ) from error
