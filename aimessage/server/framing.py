"""Finds where a request ends, while it arrives; and how fast a peer must be in each phase."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from math import inf
from typing import NamedTuple


@dataclass(eq=False)
class Phase:
    """A peer must finish within `grace` seconds, or keep moving `rate` bytes a second."""

    grace: float
    rate: float = inf
    #: Closing the connection loses nothing.
    idle: bool = False


#: Between requests, and before the first; the worker sets `grace` to gunicorn's `keepalive`.
SILENT = Phase(5, idle=True)
HANDSHAKE = Phase(10)
HEAD = Phase(10)
BODY = Phase(10, rate=1024)
SENDING = Phase(30, rate=1024)
#: After the last answer: closing at once would lose it for a client that is still sending.
LEAVING = Phase(2, idle=True)

#: aimessage/events/hub.py cuts streams off that are not read.
STREAMING = Phase(inf)

#: Bytes of the request line and headers; more is a 431.
MAX_HEAD = 64 * 1024
#: Bytes of a line before a chunk, and of the lines after the last; gunicorn refuses longer ones.
MAX_LINE = 8190

_BAD_START = re.compile(rb"(?:\r\n)?+(?!\S+ \S+ HTTP/1\.\d\r\n)[^\r\n]*\r\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_CHUNKED = re.compile(rb"\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r", re.IGNORECASE)


class End(NamedTuple):
    at: int
    #: Whether all of the request is there, so that another may follow on the connection.
    complete: bool = True


Waiting = Generator[Phase, None, End]


def find_end(received: bytearray, max_body: int) -> Waiting:
    """Yields the phase of the request at the start of `received` until it is whole; returns its end.

    gunicorn parses the same bytes afterwards and refuses malformed ones, so malformed and oversized requests
    end here at once: before the body if Content-Length exceeds `max_body`, and one byte beyond `max_body` if
    the body is chunked, so that the application sees that it is too large.
    """
    seen = 0
    while (head := received.find(b"\r\n\r\n", max(seen - 3, 2))) < 0:
        # The 2 skips an empty line before the request, as gunicorn does.
        if len(received) > MAX_HEAD or _BARE_LF.search(received, seen):
            return End(len(received), complete=False)
        # Only when a line has ended, so that a line that arrives byte by byte is not scanned each time.
        if received.find(b"\r\n", max(seen - 1, 1)) >= 0 and _BAD_START.match(received):
            return End(len(received), complete=False)
        seen = len(received)
        yield HEAD
    body = head + 4
    if _CHUNKED.search(received, 0, body):
        return (yield from _find_end_of_chunks(received, body, max_body))
    announced = _LENGTH.search(received, 0, body)
    length = int(announced[1]) if announced else 0
    if length > max_body:
        return End(body, complete=False)
    while len(received) < body + length:
        yield BODY
    return End(body + length)


def _find_end_of_chunks(received: bytearray, at: int, max_body: int) -> Waiting:
    total, most = 0, at + 2 * max_body + MAX_HEAD
    while True:
        while (line := received.find(b"\r\n", at)) < 0:
            if len(received) > at + MAX_LINE:
                return End(len(received), complete=False)
            yield BODY
        try:
            size = int(received[at:line].partition(b";")[0], 16)
        except ValueError:
            size = -1
        if size < 0 or line > most:
            return End(len(received), complete=False)
        if size == 0:
            while (end := received.find(b"\r\n\r\n", line)) < 0:
                if len(received) > line + MAX_LINE:
                    return End(len(received), complete=False)
                yield BODY
            return End(end + 4)
        needed = min(size, max_body + 1 - total)
        while len(received) < line + 2 + needed:
            yield BODY
        total += size
        if total > max_body:
            return End(len(received), complete=False)
        at = line + 2 + size + 2
