"""Answers that do not end: what a view returns to keep its connection, and what it may do with it then.

The worker sends the head as of any answer. From then on the connection costs no thread: whoever opened the
stream sends through a `Carrier`, from any thread, and the worker's loop writes what the client takes.
"""

from collections.abc import Callable
from typing import Protocol

from django.http import HttpResponse


class Carrier(Protocol):
    """A connection that carries a stream. Each of these may be called from any thread, and none waits."""

    #: Bytes that the client has not taken yet.
    pending: int
    #: Whether the client is gone, or was cut off.
    closed: bool

    def send(self, data: bytes) -> None:
        """Sends `data` when the client takes it."""

    def end(self, data: bytes = b"") -> None:
        """Sends `data`, and ends the stream."""

    def cut(self) -> None:
        """Ends the stream at once, whatever is still to be sent."""


class StreamResponse(HttpResponse):
    """An answer whose body comes later, and ends with the connection.

    `opened` is called with the connection, once the head is on its way.
    """

    def __init__(self, opened: Callable[[Carrier], None], content_type: str) -> None:
        super().__init__(content_type=content_type)
        self.opened = opened
        # As of everything that changes while one looks; and nginx passes on at once what comes.
        self["Cache-Control"] = "no-store"
        self["X-Accel-Buffering"] = "no"
