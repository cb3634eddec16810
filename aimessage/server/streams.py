"""Answers that do not end. A view returns a StreamResponse; later, any thread sends through its Carrier.

The worker sends the head as usual. From then on the connection occupies no thread: the worker's loop writes
what was given to the Carrier as fast as the client takes it.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment

from django.http import StreamingHttpResponse


class Carrier(Protocol):
    """A connection that carries a stream. Its methods may be called from any thread, and do not block.

    `pending` are the bytes that the client has not taken yet, `taken` those that it has.
    """

    @property
    def pending(self) -> int: ...

    @property
    def taken(self) -> int: ...

    @property
    def closed(self) -> bool:
        """Whether the client is gone, or end() or cut() was called."""

    def send(self, data: bytes) -> None: ...

    def end(self, data: bytes = b"") -> None:
        """Ends the stream after `data` and whatever is pending."""

    def cut(self) -> None:
        """Ends the stream at once, and drops whatever is pending."""


class StreamResponse(StreamingHttpResponse):
    """`opened` is called once the head is sent; it must not block. `farewell` returns the bytes that are sent
    when the server stops."""

    def __init__(
        self, opened: Callable[[Carrier], None], farewell: Callable[[], bytes], content_type: str
    ) -> None:
        super().__init__(content_type=content_type)
        self.opened = opened
        self.farewell = farewell
        # Keeps nginx from buffering.
        self["X-Accel-Buffering"] = "no"


def with_streams(app: WSGIApplication) -> WSGIApplication:
    def wrapped(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        answer = app(environ, start_response)
        if isinstance(answer, StreamResponse):
            # Neither length nor chunks: the answer ends with the connection.
            start_response.__self__.chunked = False
            start_response.__self__.force_close()
            environ["gunicorn.socket"].connection.stream = answer
        return answer

    return wrapped
