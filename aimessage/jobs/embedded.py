"""The worker that gunicorn starts beside its own (AI_MESSAGE_JOBS=embedded), for as long as it runs.

gunicorn's master imports this; nothing here imports Django's models. The master waits for all of its children
itself, so all that is known here of a worker that ended is that it is gone.
"""

import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from aimessage.server import slots

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
#: In which the worker counts for /metrics.
SLOT = "jobs"
#: Seconds between two looks whether it lives.
LOOK_EVERY = 0.2
#: Seconds between two starts of a worker that keeps ending; after one that lived for long, the first.
FIRST_PAUSE, LONGEST_PAUSE, LIVED = 1.0, 30.0, 60.0
#: Seconds that a worker may take to finish its jobs, and a little.
STOP_LIMIT = 27.0

logger = logging.getLogger("gunicorn.error")


class Embedded:
    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.pid: int | None = None
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Called once, by the master."""
        self.thread = threading.Thread(target=self._watch, name="jobs", daemon=True)
        self.thread.start()

    def restart(self) -> None:
        """For new code: the worker finishes its jobs, and the next one is started."""
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(STOP_LIMIT)
        self._signal(signal.SIGKILL)

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while not self.stopping.is_set():
            started = time.monotonic()
            try:
                self.pid = _spawn()
            except OSError as error:
                logger.error("The worker for jobs cannot be started: %s", error)
            told = False
            while self._lives():
                if self.stopping.is_set() and not told:
                    told = True
                    self._signal(signal.SIGTERM)
                time.sleep(LOOK_EVERY)
            slots.leave_slot(SLOT)
            if self.stopping.is_set():
                return
            lived = time.monotonic() - started
            logger.warning("The worker for jobs is gone after %.0f s; another is started", lived)
            pause = FIRST_PAUSE if lived > LIVED else pause
            self.stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _lives(self) -> bool:
        if self.pid is None:
            return False
        try:
            ended, _ = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # the master was quicker
            ended = self.pid
        if ended:
            self.pid = None
        return not ended

    def _signal(self, number: int) -> None:
        if self._lives() and self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _spawn() -> int:
    """Starts a worker; its process id.

    Not by subprocess: it would wait on a pipe whose other end a worker that the master forks in that moment
    keeps open, for ever. In a session of its own, since Ctrl-C is for the master. Without the sockets
    that gunicorn keeps open for its successor.
    """
    command = [sys.executable, str(MANAGE), "work", "--parent", str(os.getpid())]
    environment = {**os.environ, slots.SLOT_VARIABLE: SLOT}
    closed = [(os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()]
    return os.posix_spawn(sys.executable, command, environment, file_actions=closed, setsid=True)


def _inheritable() -> list[int]:
    found = []
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # that of the look itself
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


worker = Embedded()
