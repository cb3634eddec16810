"""Answers that do not end: what a view returns to keep its connection, and what it may do with it then.

The worker sends the head as of any answer. From then on the connection costs no thread: whoever opened the
stream sends through a `Carrier`, from any thread, and the worker's loop writes what the client takes.
"""

from collections.abc import Callable
from typing import Any, Protocol

from django.http import StreamingHttpResponse


class Carrier(Protocol):
    """A connection that carries a stream. Its methods may be called from any thread, and do not block."""

    @property
    def pending(self) -> int:
        """Bytes that the client has not taken yet."""

    @property
    def taken(self) -> int:
        """Bytes that it has."""

    @property
    def closed(self) -> bool:
        """Whether the client is gone, or was sent the end."""

    def send(self, data: bytes) -> None:
        """Sends `data` when the client takes it."""

    def end(self, data: bytes = b"") -> None:
        """Sends `data`, and ends the stream."""

    def cut(self) -> None:
        """Ends the stream at once, whatever is still to be sent."""


class StreamResponse(StreamingHttpResponse):
    """An answer whose body comes later, and ends with the connection.

    `opened` is called with the connection once the head is sent, and must not wait. `farewell` returns what
    a client is told when the server stops.
    """

    def __init__(
        self, opened: Callable[[Carrier], None], farewell: Callable[[], bytes], content_type: str
    ) -> None:
        super().__init__(content_type=content_type)
        self.opened = opened
        self.farewell = farewell
        # nginx then passes on at once what comes.
        self["X-Accel-Buffering"] = "no"


def with_streams(app: Callable[..., Any]) -> Callable[..., Any]:
    """Has gunicorn end a StreamResponse's head as it must, and tells the connection of it."""

    def wrapped(environ: dict[str, Any], start_response: Any) -> Any:
        answer = app(environ, start_response)
        if isinstance(answer, StreamResponse):
            # No length and no chunks: the end of the connection is the end of the answer.
            start_response.__self__.chunked = False
            start_response.__self__.force_close()
            environ["gunicorn.socket"].connection.stream = answer
        return answer

    return wrapped
