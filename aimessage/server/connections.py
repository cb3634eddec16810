"""A connection whose requests and answers wait in memory, so that a slow peer keeps no thread."""

import re
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders

from aimessage.server.clients import client_network
from aimessage.server.framing import BODY, HANDSHAKE, LEAVING, SILENT, End, Phase, Waiting, find_end
from aimessage.server.outbox import Outbox
from aimessage.server.streams import StreamResponse

#: Bytes read at once.
CHUNK = 32 * 1024
#: Bytes of a leaving peer that are thrown away.
MAX_DRAINED = 1024 * 1024

_EXPECTS = re.compile(
    rb"[^\r\n]* HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*?expect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE
)
#: SO_LINGER: drop what the peer has not taken.
_RESET = struct.pack("ii", 1, 0)


class Connection:
    """The worker's loop or one of its threads has it, never both at once.

    What gunicorn calls the `sock` of a connection is the outbox; `wire` is the socket, and never blocks.
    """

    def __init__(self, wire: socket.socket, client: object, server: Any, *, max_body: int) -> None:
        self.wire, self.client, self.server, self.max_body = wire, client, server, max_body
        wire.setblocking(False)
        self.sock = Outbox(self)
        self.received = bytearray()
        self.requests = 0
        #: What the worker counts it under; None counts nowhere.
        self.peer: str | None = None
        #: The events that the loop waits for, and those for which it should.
        self.watched, self.wanted = 0, EVENT_READ
        #: Whether another request may follow on it.
        self.stays = True
        #: What the last request was answered with, if that does not end.
        self.stream: StreamResponse | None = None
        self._end: End | None = None
        self._framing: Waiting | None = None
        self._invited = False
        self._begin(SILENT)

    @property
    def network(self) -> str | None:
        """The peer's IPv4 address or IPv6 /64; None on a unix socket."""
        return client_network(self.client[0]) if isinstance(self.client, tuple) else None

    def enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self._begin(phase)

    def _begin(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.checked = time.monotonic()
        #: Bytes since `checked`, when the pace was looked at last.
        self.moved = 0

    def is_late(self, now: float) -> bool:
        """Whether the peer has fallen behind the pace of its phase."""
        seconds = now - self.checked
        if seconds <= self.phase.grace:
            return False
        if self.moved < self.phase.rate * seconds:
            return True
        self.moved, self.checked = 0, now
        return False

    @property
    def held(self) -> int:
        """Bytes of memory that wait for the peer."""
        return len(self.received) + self.sock.held

    # --- Each of these does what it can without waiting, and returns whether it is done ---

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
        """Reads until a request is there, or all that will come of it. Raises EOFError if none was begun."""
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
        """Whether the reader of a stream is gone. What it still sends is nobody's."""
        done, data = self._try(lambda: self.wire.recv(CHUNK))
        return done and not data

    def drain(self) -> bool:
        """Throws away what still comes, to the peer's end of it."""
        while self.moved < MAX_DRAINED:
            done, data = self._try(lambda: self.wire.recv(CHUNK))
            if not done:
                return False
            if not data:
                break
            self.moved += len(data)
        return True

    def _try(self, act: Callable[[], Any]) -> tuple[bool, Any]:
        try:
            return True, act()
        except (BlockingIOError, ssl.SSLWantReadError):
            self.wanted = EVENT_READ
        except ssl.SSLWantWriteError:
            self.wanted = EVENT_WRITE
        return False, None

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
        """Asks for the body (RFC 9110, 10.1.1)."""
        self._invited = True
        if _EXPECTS.match(self.received):
            with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def break_off(self) -> None:
        """Takes what has come for all that will; the application sees that it is not whole."""
        self._end = End(len(self.received), complete=False)

    def take_request(self) -> tuple[Iterator[bytes], bool]:
        """The request that is there, for gunicorn's parser, and whether it is complete."""
        end = self._end or End(len(self.received), complete=False)
        data = bytes(self.received[: end.at])
        del self.received[: end.at]
        self._end = self._framing = None
        self._invited = False
        self.requests += 1
        return _pieces(data), end.complete

    # --- The end ---

    def leave(self) -> None:
        """Says that nothing follows."""
        self.enter(LEAVING)
        self.wanted = EVENT_READ
        self.wire.shutdown(socket.SHUT_WR)

    def close(self, *, reset: bool = False) -> None:
        self.sock.clear()
        with suppress(OSError):
            if reset:  # else the kernel would keep for minutes what nobody reads
                self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.wire.close()


def _pieces(data: bytes) -> Iterator[bytes]:
    yield data
    if b"\r\n\r\n" not in data:
        raise LimitRequestHeaders("the head is too long")
