"""Serves event streams (aimessage/server/streams.py) in the worker's loop, so that they occupy no thread."""

from collections.abc import Callable
from enum import Enum
from functools import partial
from queue import SimpleQueue
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket
from typing import TYPE_CHECKING

from aimessage.server.connections import Connection
from aimessage.server.framing import SENDING, STREAMING
from aimessage.server.streams import StreamResponse

if TYPE_CHECKING:
    from aimessage.server.worker import Worker


class StreamAct(Enum):
    SEND = "send"
    END = "end"
    CUT = "cut"


class Streams:
    """The streams of one worker. Their connections are not in `Worker.waiting`, and have no deadline."""

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.carriers: dict[Connection, WorkerCarrier] = {}
        #: Filled by any thread, and worked off by the loop.
        self.acts: SimpleQueue[tuple[Connection, bytes, StreamAct]] = SimpleQueue()
        self.is_waking = False

    def open(self, conn: Connection, stream: StreamResponse) -> None:
        self.worker.stop_waiting(conn)
        # No longer one of `worker_connections`: the application limits the number of streams.
        self.worker.count(conn, -1)
        conn.enter(STREAMING)
        conn.stream = None
        carrier = self.carriers[conn] = WorkerCarrier(self, conn, stream.farewell)
        self._watch(conn)
        if self.worker.stop_idle_at is None:
            stream.opened(carrier)
        else:
            self._say_farewell(conn, carrier)

    def _watch(self, conn: Connection) -> None:
        wanted = EVENT_READ | EVENT_WRITE if conn.sock.pieces else EVENT_READ
        if conn.watched != wanted:
            change = self.worker.poller.modify if conn.watched else self.worker.poller.register
            change(conn.wire, wanted, partial(self._on_ready, conn))
            conn.watched = wanted

    def _on_ready(self, conn: Connection, wire: socket) -> None:
        if conn not in self.carriers:  # closed since the poller woke up
            return
        try:
            conn.sock.flush()
            if conn.is_left():
                raise EOFError
            self._watch(conn)
        except (OSError, EOFError):
            self.close(conn)

    def act(self, conn: Connection, data: bytes, act: StreamAct) -> None:
        """May be called from any thread. One wake-up of the loop serves all acts in the queue."""
        self.acts.put((conn, data, act))
        if not self.is_waking:
            self.is_waking = True
            self.worker.method_queue.defer(self._act_on_all)

    def _act_on_all(self) -> None:
        # Before reading the queue, so that whatever is added from now on wakes the loop again.
        self.is_waking = False
        while not self.acts.empty():
            conn, data, act = self.acts.get()
            if conn not in self.carriers:
                continue
            if act is StreamAct.CUT:
                self.close(conn)
                continue
            if data:
                conn.sock.sendall(data)
            if act is StreamAct.END:
                self._end(conn)
            else:
                self._on_ready(conn, conn.wire)

    def _end(self, conn: Connection) -> None:
        # It is an ordinary connection again, and sends its last answer.
        del self.carriers[conn]
        self.worker.poller.unregister(conn.wire)
        conn.watched = 0
        self.worker.count(conn, +1)
        conn.stays = False
        conn.enter(SENDING)
        self.worker.go_on(conn)

    def close(self, conn: Connection) -> None:
        self.carriers.pop(conn).closed = True
        self.worker.poller.unregister(conn.wire)
        conn.close(reset=bool(conn.sock.pieces))

    def close_all(self) -> None:
        for conn in list(self.carriers):
            self.close(conn)

    def end_all(self) -> None:
        for conn, carrier in list(self.carriers.items()):
            self._say_farewell(conn, carrier)

    def _say_farewell(self, conn: Connection, carrier: "WorkerCarrier") -> None:
        if conn.sock.pieces:  # the peer does not read, so it would not read the farewell either
            self.close(conn)
            return
        carrier.closed = True
        conn.sock.sendall(carrier.farewell())
        self._end(conn)


class WorkerCarrier:
    """A Carrier (aimessage/server/streams.py) for a connection in the worker's loop."""

    def __init__(self, streams: Streams, conn: Connection, farewell: Callable[[], bytes]) -> None:
        self.streams, self.conn, self.farewell = streams, conn, farewell
        self.closed = False
        #: Bytes so far, including those that are not sent yet.
        self.given = 0

    @property
    def pending(self) -> int:
        return self.given - self.conn.moved

    @property
    def taken(self) -> int:
        return self.conn.moved

    def send(self, data: bytes) -> None:
        self.given += len(data)
        self.streams.act(self.conn, data, StreamAct.SEND)

    def end(self, data: bytes = b"") -> None:
        self.closed = True
        self.streams.act(self.conn, data, StreamAct.END)

    def cut(self) -> None:
        self.closed = True
        self.streams.act(self.conn, b"", StreamAct.CUT)
