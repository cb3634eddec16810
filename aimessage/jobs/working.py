"""The process that runs jobs: threads for each queue and loop, and one that looks after all of them."""

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

#: Seconds between two looks for jobs, one query each. SQLite has one writer, and no wish to be asked often.
LOOK_EVERY = {"postgresql": 0.25, "sqlite": 1.0}
#: Seconds between two rounds of the reaper, the clock and the locks.
ROUND_EVERY = 1.0
#: Seconds after which a thread without work closes its connection.
IDLE = 10.0
#: Seconds that jobs may take to finish once the process is to end.
GRACE = 25.0
#: Seconds after the longest pause in which other workers get their locks back before anybody misses them.
REUNION = 5.0
#: Seconds between two tries to reach a database that is gone, or to call a loop that raises: from, to.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 5.0

logger = logging.getLogger("aimessage.jobs")


class Workshop:
    """`run()` returns when `stop()` was called and the jobs are finished, or GRACE is over."""

    def __init__(self, queues: Mapping[str, int]) -> None:
        self.queues = queues
        self.name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        #: Set while a queue may have jobs that are due.
        self.due = {queue: threading.Event() for queue in queues}
        #: The job that each thread is running.
        self.active: dict[str, UUID] = {}
        #: The loops that are ours to call.
        self.granted: set[str] = set()
        self.locked, self.over = threading.Event(), threading.Event()

    def run(self, parent: int | None = None) -> bool:
        """Returns whether all jobs were finished. With a `parent`, ends soon after that process."""
        supervisor = _start("supervisor", self._supervise)
        # Without its lock nobody could tell that a job's worker is gone.
        while not self.locked.wait(0.5) and not self.stopping.is_set():
            self._look_after(parent)
        threads = [
            _start(f"{queue}-{number}", self._work, queue)
            for queue, count in self.queues.items()
            for number in range(count)
        ]
        threads += [_start(f"loop-{loop.name}", self._call, loop) for loop in loops.values()]
        while not self.stopping.wait(0.5):
            self._look_after(parent)
        deadline = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        finished = not any(thread.is_alive() for thread in threads)
        self.over.set()
        supervisor.join(2 * ROUND_EVERY)
        return finished

    def _look_after(self, parent: int | None) -> None:
        if parent is not None and os.getppid() != parent:
            self.stop()

    def stop(self) -> None:
        self.stopping.set()
        for event in self.due.values():
            event.set()

    # --- Threads ---

    def _work(self, queue: str) -> None:
        """Runs the jobs of a queue, one after the other."""
        thread = threading.current_thread().name
        pauses = _Pauses(self.stopping)
        while self._has_work(queue):
            try:
                close_old_connections()
                # Before the look: what is enqueued after it sets it again.
                self.due[queue].clear()
                job = self._take(queue)
                if job is not None:
                    self.due[queue].set()
                    self.active[thread] = job.pk
                    run(job)
                pauses.reset()
            except Exception:
                pauses.wait(f"The jobs of {queue} wait")
            finally:
                self.active.pop(thread, None)
        connections.close_all()

    def _take(self, queue: str) -> Job | None:
        if not self._by_redis():
            return claim([queue], self.name)
        try:
            key = redis_queue.pop(queue)
        except RedisGone:
            return None
        if key is None:
            connections.close_all()
            return None
        return claim([queue], self.name, key=key)

    def _by_redis(self) -> bool:
        return bool(settings.JOBS_URL) and redis_queue.waiting_link().is_up

    def _has_work(self, queue: str) -> bool:
        """Waits until the queue may have; False once the process is to end."""
        if self._by_redis():  # which is waited for there
            return not self.stopping.is_set()
        while not self.stopping.is_set() and not self.due[queue].wait(IDLE):
            connections.close_all()
        return not self.stopping.is_set()

    def _call(self, loop: Loop) -> None:
        pauses = _Pauses(self.stopping)
        while not self.stopping.wait(loop.every):
            if loop.alone and loop.name not in self.granted:
                continue
            try:
                close_old_connections()
                loop.function()
                pauses.reset()
            except Exception:
                pauses.wait(f"{loop.name} waits")
        connections.close_all()

    def _supervise(self) -> None:
        """Keeps the locks, puts back what was dropped, rings the clock, and wakes who has something to do."""
        locks = make_locks()
        reaper, clock = Reaper(locks, self.name), Clock()
        pauses = _Pauses(self.stopping)
        next_round = blind_until = 0.0
        while not self.over.is_set():
            try:
                close_old_connections()
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + ROUND_EVERY
                    if not self._keep(locks):
                        raise RuntimeError("Somebody else has this worker's lock")
                    reaper.reap(set(self.active.values()), others=time.monotonic() > blind_until)
                    if not self.stopping.is_set():
                        clock.tick()
                    self.locked.set()
                # All of them when Redis may be back: only a thread that asks it finds out whether it is.
                for queue in self.due.keys() if self._by_redis() else queues_with_work() & self.due.keys():
                    self.due[queue].set()
                pauses.reset()
            except Exception:
                self.granted.clear()
                if connection.vendor == "postgresql":
                    # The locks of all workers went with their connections.
                    blind_until = time.monotonic() + LONGEST_PAUSE + REUNION
                pauses.wait("Jobs wait")
            self.over.wait(LOOK_EVERY[connection.vendor])
        try:
            locks.release()
        except Exception:
            logger.warning("The locks end with the process", exc_info=True)
        connections.close_all()

    def _keep(self, locks: Locks) -> bool:
        kept = locks.take(worker_lock(self.name))
        alone = {loop.name for loop in loops.values() if loop.alone}
        self.granted = {name for name in alone if kept and locks.take(f"loop.{name}")}
        return kept


class _Pauses:
    """Longer and longer ones, while the same thing fails again and again; each failure is one line."""

    def __init__(self, stopping: threading.Event) -> None:
        self.stopping = stopping
        self.reset()

    def reset(self) -> None:
        self.seconds = FIRST_PAUSE

    def wait(self, what: str) -> None:
        """Called where an exception is handled."""
        logger.warning("%s %.0f s after an error", what, self.seconds, exc_info=True)
        connections.close_all()
        self.stopping.wait(self.seconds)
        self.seconds = min(2 * self.seconds, LONGEST_PAUSE)


def _start(name: str, function: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, name=name, daemon=True)
    thread.start()
    return thread


def work(queues: Mapping[str, int], *, parent: int | None = None) -> None:
    """Runs jobs until SIGTERM or SIGINT, or the end of its parent; a second signal ends it at once."""
    # A signal that comes now is taken once there is something to stop.
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
        # Threads that hang would keep the process; their locks end with it.
        logging.shutdown()
        os._exit(1)
