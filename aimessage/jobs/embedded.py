"""The worker that gunicorn starts beside its own (AI_MESSAGE_JOBS=embedded), for as long as it runs.

gunicorn's master imports this; nothing here imports Django's models. The master waits for all of its children
itself, so the exit status of ours is lost to it, and only that it is gone is known.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from aimessage.server import slots

ROOT = Path(__file__).resolve().parents[2]
#: In which the worker counts for /metrics.
SLOT = "jobs"
#: Seconds between two starts of a worker that keeps ending; one that lived for long starts at once.
FIRST_PAUSE, LONGEST_PAUSE, LIVED = 1.0, 30.0, 60.0
#: Seconds that a worker may take to finish its jobs, and a little.
STOP_LIMIT = 27.0

logger = logging.getLogger("gunicorn.error")


class Embedded:
    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Called once, by the master. The thread must live on: the worker ends when it does (prctl)."""
        self.thread = threading.Thread(target=self._watch, name="jobs", daemon=True)
        self.thread.start()

    def restart(self) -> None:
        """For new code: the worker finishes its jobs, and the next one is started."""
        self._terminate()

    def stop(self) -> None:
        self.stopping.set()
        self._terminate()
        if self.thread is not None:
            self.thread.join(STOP_LIMIT)
        if self.process is not None and self._lives():
            with suppress(ProcessLookupError):
                self.process.kill()

    def _terminate(self) -> None:
        if self.process is not None and self._lives():
            with suppress(ProcessLookupError):
                self.process.terminate()

    def _lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while not self.stopping.is_set():
            started = time.monotonic()
            try:
                self.process = self._spawn()
                if self.stopping.is_set():
                    self._terminate()
            except OSError as error:
                logger.error("The worker for jobs cannot be started: %s", error)
            else:
                # Returns, too, when the master itself has waited for it.
                self.process.wait()
                slots.leave_slot(SLOT)
            if self.stopping.is_set():
                return
            lived = time.monotonic() - started
            pause = FIRST_PAUSE if lived > LIVED else pause
            logger.warning("The worker for jobs is gone after %.0f s; another is started", lived)
            self.stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, str(ROOT / "manage.py"), "work", "--parent", str(os.getpid())]
        environment = {**os.environ, slots.SLOT_VARIABLE: SLOT}
        # In a session of its own: Ctrl-C is for the master, which ends it when nobody asks for more.
        return subprocess.Popen(  # noqa: S603  our own program
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )


worker = Embedded()
