"""Writes a backup to a temporary file, checks it, and only then gives it its name."""

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
from operations.maintenance.backup.progress import OnProgress

ENGINES: dict[str, ModuleType] = {"postgresql": postgresql, "sqlite": sqlite}
#: The age from which an unfinished file belongs to a run that was cut off.
STALE = timedelta(days=1)
_DATED = re.compile(r"aimessage-\d{8}T\d{6}Z\.(?:dump|sqlite3)")
_UNFINISHED = ".aimessage-unfinished-"


def write_backup(
    connection: BaseDatabaseWrapper,
    path: Path,
    *,
    force: bool = False,
    on_progress: OnProgress = lambda said: None,
) -> Manifest:
    """Writes a checked backup to `path` and its manifest next to it, both readable by their owner alone.

    Raises BackupError if anything goes wrong, or if `path` exists and `force` is not given. Then `path` is
    unchanged.
    """
    if not force:
        _refuse_existing(path)
    engine = ENGINES[connection.vendor]
    with _unfinished(path) as file, _unfinished(path) as note:
        made_at = timezone.now()
        contents = engine.dump(connection, file, on_progress)
        _to_disk(file)
        engine.check_dump(connection, file, contents, on_progress)
        size = file.stat().st_size
        manifest = Manifest(FORMAT, made_at.isoformat(), size, file_digest(file), contents)
        note.write_text(to_json(manifest), encoding="utf-8")
        _to_disk(note)
        _put(file, path, force=force)
        note.replace(manifest_path(path))
        _to_disk(path.parent)
    return manifest


def dated_path(connection: BaseDatabaseWrapper, folder: Path) -> Path:
    now = datetime.now(UTC)
    return folder / f"aimessage-{now:%Y%m%dT%H%M%SZ}{ENGINES[connection.vendor].SUFFIX}"


def dated_backups(folder: Path) -> list[Path]:
    """The backups in `folder` with a date as their name and with a manifest, oldest first."""
    named = [path for path in folder.iterdir() if _DATED.fullmatch(path.name)]
    return sorted((path for path in named if manifest_path(path).is_file()), key=lambda path: path.name)


def remove_old(folder: Path, *, keep: int) -> list[Path]:
    """Removes all but the newest `keep` dated backups, and files that interrupted runs left."""
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
    # In the same folder, so that it can be renamed. Readable by its owner alone.
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
    # Unlike a rename, a link fails if somebody has taken the name meanwhile.
    if not force:
        try:
            os.link(file, path)
            return
        except FileExistsError:
            _refuse_existing(path)
        except OSError:  # The file system has no links.
            _refuse_existing(path)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise BackupError(f"{path} is no file.")
    file.replace(path)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        # Some network file systems refuse it for a folder. For a file, it must succeed.
        if not path.is_dir():
            raise
    finally:
        with suppress(OSError):
            os.close(handle)
