"""The process that runs jobs: threads for each queue and each loop, and a supervisor thread."""

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, connection, connections

from aimessage.jobs import redis_queue
from aimessage.jobs.clock import Clock
from aimessage.jobs.locks import Locks, make_locks, worker_lock
from aimessage.jobs.loops import Loop, loops
from aimessage.jobs.models import Job
from aimessage.jobs.running import Reaper, claim, queues_with_work, run
from aimessage.server.redis import RedisGone

#: Seconds between two polls for jobs, one query each. SQLite is polled less, to leave it to the web workers.
POLL_EVERY = {"postgresql": 0.25, "sqlite": 1.0}
#: Seconds between two rounds of the supervisor: locks, reaper and clock.
ROUND_EVERY = 1.0
#: Seconds after which a thread without work closes its database connection.
IDLE = 10.0
#: Seconds that running jobs get to finish when the process stops.
GRACE = 25.0
#: Seconds beyond LONGEST_PAUSE that other workers get to retake their locks after the database was lost,
#: before they count as dead.
RELOCK_GRACE = 5.0
#: The pause in seconds after an error of a thread; it doubles from the first to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 5.0

logger = logging.getLogger("aimessage.jobs")


class Workshop:
    """Runs jobs from `run()` until `stop()`."""

    def __init__(self, queues: Mapping[str, int]) -> None:
        #: Queue → number of threads.
        self.queues = queues
        self.name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        #: Set while a queue may have due jobs.
        self.due = {queue: threading.Event() for queue in queues}
        #: Thread name → the job that it is running.
        self.active: dict[str, UUID] = {}
        #: The loops of which this worker holds the lock.
        self.granted: set[str] = set()
        self.locked, self.over = threading.Event(), threading.Event()

    def run(self, parent: int | None = None) -> bool:
        """Returns whether all jobs finished within GRACE. It also stops when the process `parent` ends."""
        supervisor = _start("supervisor", self._supervise)
        # Jobs may only run under this worker's lock: the reaper of another worker would put them back.
        while not self.locked.wait(0.5) and not self.stopping.is_set():
            self._stop_if_orphaned(parent)
        threads = [
            _start(f"{queue}-{number}", self._work, queue)
            for queue, count in self.queues.items()
            for number in range(count)
        ]
        threads += [_start(f"loop-{loop.name}", self._call, loop) for loop in loops.values()]
        while not self.stopping.wait(0.5):
            self._stop_if_orphaned(parent)
        deadline = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        finished = not any(thread.is_alive() for thread in threads)
        self.over.set()
        supervisor.join(2 * ROUND_EVERY)
        return finished

    def _stop_if_orphaned(self, parent: int | None) -> None:
        if parent is not None and os.getppid() != parent:
            self.stop()

    def stop(self) -> None:
        self.stopping.set()
        for event in self.due.values():
            event.set()

    # --- Threads ---

    def _work(self, queue: str) -> None:
        thread = threading.current_thread().name
        backoff = _Backoff(self.stopping)
        while self._wait_for_work(queue):
            try:
                close_old_connections()
                # Cleared before the query, so that a job enqueued after it sets the event again.
                self.due[queue].clear()
                job = self._claim(queue)
                if job is not None:
                    self.due[queue].set()
                    self.active[thread] = job.pk
                    run(job)
                backoff.reset()
            except Exception:
                backoff.wait(f"The jobs of {queue} wait")
            finally:
                self.active.pop(thread, None)
        connections.close_all()

    def _claim(self, queue: str) -> Job | None:
        if not self._uses_redis():
            return claim([queue], self.name)
        try:
            key = redis_queue.pop(queue)
        except RedisGone:
            return None
        if key is None:
            connections.close_all()
            return None
        return claim([queue], self.name, key=key)

    def _uses_redis(self) -> bool:
        return bool(settings.JOBS_URL) and redis_queue.waiting_link().is_up

    def _wait_for_work(self, queue: str) -> bool:
        """Waits until the queue may have a due job; returns False when the process stops."""
        if self._uses_redis():  # redis_queue.pop waits
            return not self.stopping.is_set()
        while not self.stopping.is_set() and not self.due[queue].wait(IDLE):
            connections.close_all()
        return not self.stopping.is_set()

    def _call(self, loop: Loop) -> None:
        backoff = _Backoff(self.stopping)
        while not self.stopping.wait(loop.every):
            if loop.alone and loop.name not in self.granted:
                continue
            try:
                close_old_connections()
                loop.function()
                backoff.reset()
            except Exception:
                backoff.wait(f"{loop.name} waits")
        connections.close_all()

    def _supervise(self) -> None:
        locks = make_locks()
        reaper, clock = Reaper(locks, self.name), Clock()
        backoff = _Backoff(self.stopping)
        next_round = trust_locks_at = 0.0
        while not self.over.is_set():
            try:
                close_old_connections()
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + ROUND_EVERY
                    if not self._renew_locks(locks):
                        raise RuntimeError("Somebody else has this worker's lock")
                    reaper.reap(set(self.active.values()), others=time.monotonic() > trust_locks_at)
                    if not self.stopping.is_set():
                        clock.tick()
                    self.locked.set()
                # With Redis all queues: if it has just come back, only a thread that asks it finds out.
                for queue in self.due.keys() if self._uses_redis() else queues_with_work() & self.due.keys():
                    self.due[queue].set()
                backoff.reset()
            except Exception:
                self.granted.clear()
                if connection.vendor == "postgresql":
                    # All workers may have lost their connections and with them their locks, yet be alive.
                    trust_locks_at = time.monotonic() + LONGEST_PAUSE + RELOCK_GRACE
                backoff.wait("Jobs wait")
            self.over.wait(POLL_EVERY[connection.vendor])
        try:
            locks.release()
        except Exception:
            logger.warning("The locks end with the process", exc_info=True)
        connections.close_all()

    def _renew_locks(self, locks: Locks) -> bool:
        is_ours = locks.take(worker_lock(self.name))
        alone = {loop.name for loop in loops.values() if loop.alone}
        self.granted = {name for name in alone if is_ours and locks.take(f"loop.{name}")}
        return is_ours


class _Backoff:
    """Pauses of a thread that keeps failing, each twice as long as the one before."""

    def __init__(self, stopping: threading.Event) -> None:
        self.stopping = stopping
        self.reset()

    def reset(self) -> None:
        self.seconds = FIRST_PAUSE

    def wait(self, what: str) -> None:
        # Called in an except block, which exc_info logs.
        logger.warning("%s %.0f s after an error", what, self.seconds, exc_info=True)
        connections.close_all()
        self.stopping.wait(self.seconds)
        self.seconds = min(2 * self.seconds, LONGEST_PAUSE)


def _start(name: str, function: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, name=name, daemon=True)
    thread.start()
    return thread


def work(queues: Mapping[str, int], *, parent: int | None = None) -> None:
    """Runs jobs until SIGTERM, SIGINT or the end of the process `parent`; a second signal ends it at once."""
    # Blocked until the handlers are set, so that an early signal stops the workshop, too.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    workshop = Workshop(queues)

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        workshop.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    logger.info("Worker %s runs %s", workshop.name, ", ".join(f"{n} of {q}" for q, n in queues.items()))
    finished = workshop.run(parent)
    logger.info("Stopped%s", "" if finished else f": what still ran after {GRACE:.0f} s will run again")
    if not finished:
        # Hanging threads would keep the process alive. Its locks end with it, so the jobs will run again.
        logging.shutdown()
        os._exit(1)
