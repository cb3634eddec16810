"""Writing a backup: first beside its place, then checked, and put there only when it is good."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkstemp
from types import ModuleType

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from operations.maintenance.backup import postgresql, sqlite
from operations.maintenance.backup.errors import BackupError
from operations.maintenance.backup.manifest import FORMAT, Manifest, file_digest, manifest_path, to_json
from operations.maintenance.backup.progress import Tell

ENGINES: dict[str, ModuleType] = {"postgresql": postgresql, "sqlite": sqlite}
#: A file that a run left behind when it was cut off is nobody's after this.
STALE = timedelta(days=1)
_DATED = re.compile(r"aimessage-\d{8}T\d{6}Z\.(?:dump|sqlite3)")
_UNFINISHED = ".aimessage-unfinished-"


def write_backup(
    connection: BaseDatabaseWrapper, path: Path, *, force: bool = False, tell: Tell = lambda said: None
) -> Manifest:
    """Writes a checked backup to `path`, and its manifest next to it; readable by the owner alone.

    Raises BackupError, with `path` as it was, where anything goes wrong or, without `force`, where it
    exists.
    """
    if not force:
        _refuse_existing(path)
    engine = ENGINES[connection.vendor]
    with _unfinished(path) as file, _unfinished(path) as note:
        made_at = timezone.now()
        contents = engine.dump(connection, file, tell)
        _to_disk(file)
        engine.check_dump(connection, file, contents, tell)
        size = file.stat().st_size
        manifest = Manifest(FORMAT, made_at.isoformat(), size, file_digest(file), contents)
        note.write_text(to_json(manifest), encoding="utf-8")
        _to_disk(note)
        _put(file, path, force=force)
        note.replace(manifest_path(path))
        _to_disk(path.parent)
    return manifest


def dated_path(connection: BaseDatabaseWrapper, folder: Path) -> Path:
    """Where in `folder` a backup of now goes."""
    now = datetime.now(UTC)
    return folder / f"aimessage-{now:%Y%m%dT%H%M%SZ}{ENGINES[connection.vendor].SUFFIX}"


def dated_backups(folder: Path) -> list[Path]:
    """The whole backups in `folder` that have a date for a name, oldest first."""
    named = [path for path in folder.iterdir() if _DATED.fullmatch(path.name)]
    return sorted((path for path in named if manifest_path(path).is_file()), key=lambda path: path.name)


def remove_old(folder: Path, *, keep: int) -> list[Path]:
    """Removes the oldest dated backups beyond `keep`, and what runs that were cut off left behind."""
    old = dated_backups(folder)[:-keep]
    for path in old:
        path.unlink()
        manifest_path(path).unlink()
    for path in folder.glob(f"{_UNFINISHED}*"):
        if timezone.now().timestamp() - path.stat().st_mtime > STALE.total_seconds():
            path.unlink()
    return old


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise BackupError(f"{path} exists. Name another file, or overwrite it with --force.")


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A new file in the folder of `path`, which no one else can read, and which does not stay."""
    try:
        handle, name = mkstemp(prefix=_UNFINISHED, dir=path.parent)
    except OSError as error:
        raise BackupError(f"Nothing can be written to {path.parent}: {error.strerror}.") from error
    os.close(handle)
    file = Path(name)
    try:
        yield file
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        file.unlink(missing_ok=True)


def _put(file: Path, path: Path, *, force: bool) -> None:
    """Gives `file` the name `path`; without `force` only where nobody has taken it meanwhile."""
    if not force:
        try:
            os.link(file, path)
            return
        except FileExistsError:
            _refuse_existing(path)
        except OSError:  # a file system without links
            _refuse_existing(path)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise BackupError(f"{path} is no file.")
    file.replace(path)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems refuse it for a folder; a file that cannot be synced is no backup.
        if not path.is_dir():
            raise
    finally:
        with suppress(OSError):
            os.close(handle)
