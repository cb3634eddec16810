"""The queue that limits how many passwords are hashed at once, and the errors of a guess that is not checked.

accounts/guesses.py counts wrong guesses.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore, local

from django.conf import settings

from aimessage.api.problems import Reason, TooManyRequests, Unavailable

#: Seconds that a request may wait for its check to begin; a longer wait is refused at once.
PATIENCE = 1.0
#: Seconds that a hash is assumed to take until one has been measured.
USUAL_SECONDS = 0.25

LOCKED_OUT = Reason("Too many failed logins, try again later", "locked_out")
TOO_MANY_LOGINS = Reason("Too many logins at once, try again in a moment")


class LockedOut(TooManyRequests):
    """Too many wrong passwords or codes for this name from this address: 429.

    `claim()` returns True to the one caller per lockout that has to record it.
    """

    def __init__(self, *, retry_after: float, claim: Callable[[], bool]) -> None:
        super().__init__(LOCKED_OUT, retry_after=retry_after)
        self.claim = claim


class Busy(Unavailable):
    """More passwords are waiting than can be checked within PATIENCE: 503."""

    def __init__(self) -> None:
        super().__init__(TOO_MANY_LOGINS)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class HashQueue:
    """Lets `places` threads hash at once; the others wait in `turn()`.

    A hash takes a quarter of a second and releases the interpreter's lock. Eight at once on two cores would
    take as long in total, and leave a fifth of a processor to the other requests.
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
        # Half of the server's threads stay free for other requests.
        self.room = max(1, threads // 2)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits until this thread may hash; raises Busy if that would take longer than PATIENCE.

        Nested turns count as one: a check and the rehash after it wait once. Take the turn before any lock of
        the database, because the thread that has the turn may be waiting for that lock.
        """
        if getattr(self._mine, "turn", False):
            yield
            return
        with self._lock:
            if self.room is not None and self._inside >= self._most():
                raise Busy
            self._inside += 1
        try:
            # `_most` relies on measured times, so the wait may turn out longer than PATIENCE.
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
        # One thread in each place, and those that get their turn within PATIENCE.
        waiting = max(1, int(PATIENCE / self.seconds))
        return min(self.room or 1, self.places * (1 + waiting))

    def measured(self, seconds: float) -> None:
        self.seconds += (seconds - self.seconds) / 4


QUEUE = HashQueue(max(1, (os.cpu_count() or 1) // settings.WORKERS))
