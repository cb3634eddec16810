"""Slots of gunicorn's workers, and the folder that holds what they counted for /metrics.

prometheus_client names its files of counts by process id, so files of dead workers pile up: deleting one
would lose its counts. We name them by slot. A new worker takes the lowest free slot and continues its counts.

gunicorn's master imports this module and must not create metrics, so it does not import prometheus_client.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: prometheus_client reads it.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: The slot of a process that counts into the folder, but is not gunicorn's. The name does not begin as
#: those of settings do, since unknown settings cause a warning.
SLOT_VARIABLE = "_AIMESSAGE_METRICS_SLOT"
PREFIX = "aimessage-metrics-"
#: The first is in memory, so that counting never waits for a disk.
PARENTS = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108  mkdtemp makes a name of its own
LOCK = "lock"

_slot = os.environ.get(SLOT_VARIABLE, "0")
#: Stays open, and so locked, as long as the master or one of its workers lives.
_lock: int | None = None


def current_slot() -> str:
    return _slot


def folder() -> Path | None:
    """None if this process does not share its counts."""
    path = os.environ.get(FOLDER_VARIABLE)
    return Path(path) if path else None


def open_folder() -> Path:
    global _lock
    parent = next(path for path in PARENTS if os.access(path, os.W_OK))
    _remove_abandoned(parent)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    _lock = _try_lock(path)
    os.environ[FOLDER_VARIABLE] = str(path)
    return path


def close_folder() -> None:
    path = os.environ.pop(FOLDER_VARIABLE, None)
    if path is not None:
        shutil.rmtree(path, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or removed meanwhile
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = _try_lock(path)
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _try_lock(path: Path) -> int | None:
    """Locks the folder until the last process that inherits the descriptor ends; None if it is locked."""
    lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def free_slot(taken: Iterable[str]) -> str:
    used = set(taken)
    slot = next(str(number) for number in range(len(used) + 1) if str(number) not in used)
    leave_slot(slot)
    return slot


def enter_slot(slot: str) -> None:
    global _slot
    _slot = slot
    path = folder()
    if path is not None:
        _pid_file(path, slot).write_text(str(os.getpid()))


def leave_slot(slot: str) -> None:
    path = folder()
    if path is not None:
        # Gauges describe a living worker. Counters stay, and the slot's next worker continues them.
        for file in [_pid_file(path, slot), *path.glob(f"gauge_live*_{slot}.db")]:
            file.unlink(missing_ok=True)


def pids_by_slot() -> dict[str, int]:
    path = folder()
    if path is None:
        return {_slot: os.getpid()}
    pids = {}
    for file in path.glob("*.pid"):
        with suppress(OSError, ValueError):  # it ended meanwhile, or has not written yet
            pids[file.stem] = int(file.read_text())
    return pids


def _pid_file(path: Path, slot: str) -> Path:
    return path / f"{slot}.pid"
