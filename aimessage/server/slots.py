"""The slots that gunicorn's workers count in, and the folder that holds what they counted.

prometheus_client keeps a file of counts per process. Named by process id, as it does by itself, the files
of dead workers would have to stay for good, for their counts to stay counted. Here a worker takes the
lowest slot that is free and goes on with the counts that the one before left there, so that there are
never more files than workers were alive at once.

gunicorn's master imports this, and must not make any metric: nothing here imports prometheus_client.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: Where prometheus_client looks for it.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: The slot of a process that gunicorn did not fork, but that counts into the same folder. No setting, hence
#: the other prefix: unknown names that begin as settings do are warned of.
SLOT_VARIABLE = "_AIMESSAGE_METRICS_SLOT"
PREFIX = "aimessage-metrics-"
#: In memory where there is such a place: counting then never waits for a disk.
PARENTS = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108  mkdtemp makes a name of its own
LOCK = "lock"

_slot = os.environ.get(SLOT_VARIABLE, "0")
#: Open, and so locked, for as long as the master or one of its workers lives.
_lock: int | None = None


def current_slot() -> str:
    """The slot of this process; a server that does not fork has one."""
    return _slot


def folder() -> Path | None:
    """Where the workers count; None in a process that counts for itself."""
    path = os.environ.get(FOLDER_VARIABLE)
    return Path(path) if path else None


def open_folder() -> Path:
    """A fresh folder, which nobody else may look into; also sweeps away those that a crash left."""
    global _lock
    parent = next(path for path in PARENTS if os.access(path, os.W_OK))
    _sweep(parent)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    _lock = _try_lock(path)
    os.environ[FOLDER_VARIABLE] = str(path)
    return path


def close_folder() -> None:
    """Removes the folder that this process opened."""
    path = os.environ.pop(FOLDER_VARIABLE, None)
    if path is not None:
        shutil.rmtree(path, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for path in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or gone meanwhile
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = _try_lock(path)
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _try_lock(path: Path) -> int | None:
    """A lock on the folder that ends with the last process that inherited it; None if one lives."""
    lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def free_slot(taken: Iterable[str]) -> str:
    """The lowest slot that is not `taken`, emptied of what was true of a former worker alone."""
    used = set(taken)
    slot = next(str(number) for number in range(len(used) + 1) if str(number) not in used)
    leave_slot(slot)
    return slot


def enter_slot(slot: str) -> None:
    """Called by a worker once it is a process of its own."""
    global _slot
    _slot = slot
    path = folder()
    if path is not None:
        _pid_file(path, slot).write_text(str(os.getpid()))


def leave_slot(slot: str) -> None:
    """Forgets what is true of a living worker alone; its counts stay for the next in the slot."""
    path = folder()
    if path is not None:
        for file in [_pid_file(path, slot), *path.glob(f"gauge_live*_{slot}.db")]:
            file.unlink(missing_ok=True)


def living() -> dict[str, int]:
    """The process id in each slot."""
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
