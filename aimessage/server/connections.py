"""A connection that buffers requests and answers in memory, so that a slow peer occupies no thread."""

import re
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE

from gunicorn.http.errors import LimitRequestHeaders

from aimessage.server.clients import client_network
from aimessage.server.framing import BODY, HANDSHAKE, LEAVING, SILENT, End, Phase, Waiting, find_end
from aimessage.server.outbox import Outbox
from aimessage.server.streams import StreamResponse

#: Bytes read at once.
CHUNK = 32 * 1024
#: Bytes that are read and discarded after the last answer.
MAX_DRAINED = 1024 * 1024

_EXPECTS = re.compile(
    rb"[^\r\n]* HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*?expect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE
)
#: SO_LINGER: drop what the peer has not taken.
_RESET = struct.pack("ii", 1, 0)

#: As socket.accept() and getsockname() have it: (host, port, …), or the path of a unix socket.
SocketAddress = tuple[str, int] | tuple[str, int, int, int] | str | bytes


class Connection:
    """Belongs to the worker's loop or to one of its threads, never to both at once.

    gunicorn writes answers to `sock`, which is an Outbox. `wire` is the socket, and never blocks.
    """

    def __init__(
        self, wire: socket.socket, client: SocketAddress, server: SocketAddress, *, max_body: int
    ) -> None:
        self.wire, self.client, self.server, self.max_body = wire, client, server, max_body
        wire.setblocking(False)
        self.sock = Outbox(self)
        self.received = bytearray()
        self.requests = 0
        #: The network that its connections and threads are limited by; None for no limit.
        self.peer: str | None = None
        #: The events that the poller watches for, and those that it should watch for.
        self.watched, self.wanted = 0, EVENT_READ
        #: Whether another request may follow on it.
        self.stays = True
        #: The answer to the last request, if it is a stream.
        self.stream: StreamResponse | None = None
        self._end: End | None = None
        self._framing: Waiting | None = None
        self._invited = False
        self._begin(SILENT)

    @property
    def network(self) -> str | None:
        return client_network(self.client[0]) if isinstance(self.client, tuple) else None

    def enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self._begin(phase)

    def _begin(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.checked = time.monotonic()
        #: Bytes sent or received since `checked`.
        self.moved = 0

    def is_late(self, now: float) -> bool:
        seconds = now - self.checked
        if seconds <= self.phase.grace:
            return False
        if self.moved < self.phase.rate * seconds:
            return True
        self.moved, self.checked = 0, now
        return False

    @property
    def held(self) -> int:
        return len(self.received) + self.sock.held

    # --- These never wait. The result says whether they are done ---

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.wire = context.wrap_socket(self.wire, server_side=True, do_handshake_on_connect=False)
        self.enter(HANDSHAKE)

    def shake_hands(self) -> bool:
        wire = self.wire
        if isinstance(wire, ssl.SSLSocket) and not self._try(wire.do_handshake)[0]:
            return False
        self.enter(SILENT)
        return True

    def receive(self) -> bool:
        """Reads until there is a whole request, or the end of a broken one.

        Raises EOFError if the peer closed the connection before a request.
        """
        while not self._is_whole():
            done, data = self._try(lambda: self.wire.recv(CHUNK))
            if not done:
                if self.phase is BODY and not self._invited:
                    self._invite()
                return False
            if not data and self.phase is not BODY:
                raise EOFError
            if not data:
                self.break_off()
            self.received += data
            self.moved += len(data)
        return True

    def is_readable_within(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.wire, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def is_left(self) -> bool:
        # A client sends nothing while it reads a stream. Whatever it sends is discarded.
        done, data = self._try(lambda: self.wire.recv(CHUNK))
        return done and not data

    def drain(self) -> bool:
        while self.moved < MAX_DRAINED:
            done, data = self._try(lambda: self.wire.recv(CHUNK))
            if not done:
                return False
            if not data:
                break
            self.moved += len(data)
        return True

    def _try(self, act: Callable[[], bytes | None]) -> tuple[bool, bytes]:
        try:
            return True, act() or b""
        except (BlockingIOError, ssl.SSLWantReadError):
            self.wanted = EVENT_READ
        except ssl.SSLWantWriteError:
            self.wanted = EVENT_WRITE
        return False, b""

    # --- Requests ---

    def _is_whole(self) -> bool:
        if self._end is not None:
            return True
        if not self.received:
            return False
        if self._framing is None:
            self._framing = find_end(self.received, self.max_body)
        try:
            self.enter(next(self._framing))
        except StopIteration as found:
            self._end = found.value
            return True
        return False

    def _invite(self) -> None:
        self._invited = True
        # The client waits with its body until then (RFC 9110, 10.1.1).
        if _EXPECTS.match(self.received):
            with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def break_off(self) -> None:
        # The application gets what has arrived, and sees that it is incomplete.
        self._end = End(len(self.received), complete=False)

    def take_request(self) -> tuple[Iterator[bytes], bool]:
        """The bytes for gunicorn's parser, and whether the request is complete."""
        end = self._end or End(len(self.received), complete=False)
        data = bytes(self.received[: end.at])
        del self.received[: end.at]
        self._end = self._framing = None
        self._invited = False
        self.requests += 1
        return _pieces(data), end.complete

    # --- The end ---

    def leave(self) -> None:
        self.enter(LEAVING)
        self.wanted = EVENT_READ
        self.wire.shutdown(socket.SHUT_WR)

    def close(self, *, reset: bool = False) -> None:
        self.sock.clear()
        with suppress(OSError):
            if reset:  # otherwise the kernel buffers for minutes what nobody reads
                self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.wire.close()


def _pieces(data: bytes) -> Iterator[bytes]:
    yield data
    if b"\r\n\r\n" not in data:
        raise LimitRequestHeaders("the head is too long")
