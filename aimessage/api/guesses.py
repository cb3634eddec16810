"""The queue in which passwords are hashed, and why a guess may be refused unchecked.

accounts/guesses.py counts the wrong ones.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore, local

from django.conf import settings

from aimessage.api.problems import Reason, TooManyRequests, Unavailable

#: Seconds that a request may wait for its check to begin; if it would wait longer, it is refused at once.
PATIENCE = 1.0
#: Seconds that a hash takes, until the first one was measured.
USUAL_SECONDS = 0.25

LOCKED_OUT = Reason("Too many failed logins, try again later", "locked_out")
TOO_MANY_LOGINS = Reason("Too many logins at once, try again in a moment")


class LockedOut(TooManyRequests):
    """Too many wrong passwords or codes for this name from this address: 429.

    `claim` returns True to one caller for each lockout, who then records it.
    """

    def __init__(self, *, retry_after: float, claim: Callable[[], bool]) -> None:
        super().__init__(LOCKED_OUT, retry_after=retry_after)
        self.claim = claim


class Busy(Unavailable):
    """More passwords wait than can be checked within a moment: 503."""

    def __init__(self) -> None:
        super().__init__(TOO_MANY_LOGINS)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class HashQueue:
    """Lets `places` threads hash at a time; the others wait in `turn()`.

    Hashing takes a quarter of a second without the interpreter's lock. Eight at a time on two cores would
    take as long in all, and leave the other requests a fifth of a processor.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self.seconds = USUAL_SECONDS
        #: The most threads that may hash or wait; None where threads are not scarce, as in a command.
        self.room: int | None = None
        self._free = Semaphore(places)
        self._lock = Lock()
        self._inside = 0
        self._mine = local()

    def bound(self, *, threads: int) -> None:
        """For a server with that many threads: half of them are always left for other requests."""
        self.room = max(1, threads // 2)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits until this thread may hash. Raises Busy where that would take longer than PATIENCE.

        A turn within a turn is the same one: a check and the rehash after it wait once. Take it before any
        lock of the database: whoever has it may wait for one.
        """
        if getattr(self._mine, "turn", False):
            yield
            return
        with self._lock:
            if self.room is not None and self._inside >= self._most():
                raise Busy
            self._inside += 1
        try:
            # Measured times are no promise.
            if not self._free.acquire(timeout=None if self.room is None else 2 * PATIENCE):
                raise Busy
            self._mine.turn = True
            try:
                yield
            finally:
                self._mine.turn = False
                self._free.release()
        finally:
            with self._lock:
                self._inside -= 1

    def _most(self) -> int:
        """How many may hash or wait: one in each place, and those that get a turn within PATIENCE."""
        waiting = max(1, int(PATIENCE / self.seconds))
        return min(self.room or 1, self.places * (1 + waiting))

    def measured(self, seconds: float) -> None:
        self.seconds += (seconds - self.seconds) / 4


QUEUE = HashQueue(max(1, (os.cpu_count() or 1) // settings.WORKERS))
