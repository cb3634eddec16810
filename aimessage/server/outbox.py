"""What has been answered and is not sent yet."""

import os
import select
import ssl
import time
from collections import deque
from dataclasses import dataclass
from selectors import EVENT_READ, EVENT_WRITE
from typing import IO, TYPE_CHECKING

from aimessage.server.framing import SENDING

if TYPE_CHECKING:
    from aimessage.server.connections import Connection

#: Bytes sent at once over TLS: one record.
RECORD = 16 * 1024
#: Bytes that are collected before the first attempt to send; most answers are shorter.
GATHERED = 256 * 1024
#: Bytes that may wait for the peer; with more, the thread that writes them waits, too.
MAX_AHEAD = 8 * 1024 * 1024


@dataclass
class FilePart:
    descriptor: int
    offset: int
    left: int


class Outbox:
    """The socket methods that gunicorn writes answers with; buffers what the peer does not take."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.pieces: deque[bytearray | memoryview | FilePart] = deque()
        #: Bytes in memory, without files.
        self.held = 0

    def sendall(self, data: bytes) -> None:
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, bytearray) and len(last) + len(data) <= RECORD:
            last += data
        else:
            self.pieces.append(bytearray(data) if len(data) < RECORD else memoryview(data))
        self.held += len(data)
        if self.held >= GATHERED and not self.flush() and self.held > MAX_AHEAD:
            self._wait_for_the_reader()

    def sendfile(self, file: IO[bytes], offset: int, count: int) -> None:
        # A copy of the descriptor, since gunicorn closes the file when it has written everything.
        self.pieces.append(FilePart(os.dup(file.fileno()), offset, count))

    def flush(self) -> bool:
        """Sends what the peer takes; returns whether everything is sent."""
        connection, wire = self.connection, self.connection.wire
        most = RECORD if isinstance(wire, ssl.SSLSocket) else None
        while self.pieces:
            piece = self.pieces[0]
            try:
                if isinstance(piece, FilePart):
                    sent = os.sendfile(wire.fileno(), piece.descriptor, piece.offset, piece.left)
                else:
                    sent = wire.send(piece[:most])
            except (BlockingIOError, ssl.SSLWantWriteError):
                connection.wanted = EVENT_WRITE
                return False
            except ssl.SSLWantReadError:
                connection.wanted = EVENT_READ
                return False
            connection.moved += sent
            self._remove(piece, sent)
        return True

    def _remove(self, piece: bytearray | memoryview | FilePart, sent: int) -> None:
        if isinstance(piece, FilePart):
            piece.offset += sent
            # Nothing is sent if the file was truncated meanwhile; the answer is then incomplete.
            piece.left = piece.left - sent if sent else 0
            if not sent:
                self.connection.stays = False
            if not piece.left:
                os.close(piece.descriptor)
                self.pieces.popleft()
            return
        self.held -= sent
        if sent == len(piece):
            self.pieces.popleft()
        elif isinstance(piece, bytearray):
            del piece[:sent]
        else:
            self.pieces[0] = piece[sent:]

    def _wait_for_the_reader(self) -> None:
        self.connection.enter(SENDING)
        poll = select.poll()
        poll.register(self.connection.wire, select.POLLOUT)
        while not self.flush() and self.held > MAX_AHEAD // 2:
            if self.connection.is_late(time.monotonic()):
                raise ConnectionAbortedError("a stream is read too slowly")
            poll.poll(1000)

    def clear(self) -> None:
        for piece in self.pieces:
            if isinstance(piece, FilePart):
                os.close(piece.descriptor)
        self.pieces.clear()
        self.held = 0

    # --- gunicorn calls these on a socket; here the worker closes the connection itself ---

    def gettimeout(self) -> float:
        return 0.0

    def shutdown(self, how: int) -> None:
        raise OSError

    def close(self) -> None:
        pass
