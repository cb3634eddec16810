"""Runs `manage.py work` as a child of gunicorn, and restarts it when it ends (AI_MESSAGE_JOBS=embedded).

gunicorn's master imports this module, so it must not import Django's models. The master also reaps all of its
children, so this module may only learn that its child is gone, and not its exit status.
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
#: The slot whose files the worker's metrics go to.
SLOT = "jobs"
#: Seconds between two checks whether the worker is alive.
CHECK_EVERY = 0.2
#: Seconds before a restart: it doubles from the first to the longest, and starts over after a worker that ran
#: for RAN_LONG seconds.
FIRST_PAUSE, LONGEST_PAUSE, RAN_LONG = 1.0, 30.0, 60.0
#: Seconds after which a stopping worker is killed; a little more than working.GRACE.
STOP_LIMIT = 27.0

logger = logging.getLogger("gunicorn.error")


class Embedded:
    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.pid: int | None = None
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self._watch, name="jobs", daemon=True)
        self.thread.start()

    def restart(self) -> None:
        # The worker finishes its jobs and ends; _watch then starts one with the new code.
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
            signalled = False
            while self._is_alive():
                if self.stopping.is_set() and not signalled:
                    signalled = True
                    self._signal(signal.SIGTERM)
                time.sleep(CHECK_EVERY)
            slots.leave_slot(SLOT)
            if self.stopping.is_set():
                return
            lifetime = time.monotonic() - started
            logger.warning("The worker for jobs is gone after %.0f s; another is started", lifetime)
            pause = FIRST_PAUSE if lifetime > RAN_LONG else pause
            self.stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _is_alive(self) -> bool:
        if self.pid is None:
            return False
        try:
            ended, _ = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # the master has reaped it
            ended = self.pid
        if ended:
            self.pid = None
        return not ended

    def _signal(self, number: int) -> None:
        if self._is_alive() and self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _spawn() -> int:
    """Starts a worker and returns its process id.

    posix_spawn, because subprocess.Popen can hang forever: it reads from a pipe until all write ends are
    closed, and a web worker that the master forks at the same moment inherits one and keeps it open.
    """
    command = [sys.executable, str(MANAGE), "work", "--parent", str(os.getpid())]
    environment = {**os.environ, slots.SLOT_VARIABLE: SLOT}
    # The worker must not keep the listening sockets open that gunicorn makes inheritable for its successor.
    closed = [(os.POSIX_SPAWN_CLOSE, number) for number in _inheritable_descriptors()]
    # A session of its own, so that Ctrl-C reaches only the master, which then stops the worker.
    return os.posix_spawn(sys.executable, command, environment, file_actions=closed, setsid=True)


def _inheritable_descriptors() -> list[int]:
    found = []
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # listdir's own descriptor is closed by now
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


worker = Embedded()
