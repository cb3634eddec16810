"""gunicorn's threaded worker, which spreads connections evenly, stays with a client who goes on asking, and
gives no thread to those who send nothing.
"""

import mmap
import os
import select
import socket
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

#: Seconds for which a thread waits for the next request of a client before it gives the connection back.
#: Whoever has just got an answer often asks on at once: a client under load, or a proxy.
LINGER = 0.002
#: Seconds that a worker leaves a new connection to another one who has fewer.
YIELD = 0.001
#: Seconds within which the head of a request must have come, once it has begun; then, to the end of its body.
#: Whoever holds a thread for longer sends slowly on purpose, or is gone.
HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0
#: The most workers that know of one another.
SLOTS = 256
NOBODY = 0xFFFF

#: How many connections the worker in each slot has; shared by all that are forked from here.
_connections = memoryview(mmap.mmap(-1, 2 * SLOTS)).cast("H")


def forget(slot: str) -> None:
    """Leaves the worker of this slot out, from before it starts until it counts, and once it is gone."""
    _connections[int(slot) % SLOTS] = NOBODY


for _slot in range(SLOTS):
    forget(str(_slot))


class Worker(ThreadWorker):
    """One of the workers; gunicorn.conf.py gives it a `slot`.

    Left alone, whoever happens to be awake takes the connections: of eight that come at once one worker
    may get all, and one processor has nothing to do. And each request goes from the main thread to
    another and back, which costs as much as answering a small one. And whoever connects and says nothing,
    or stops in the middle of a request, keeps a thread; a few dozen of them, and nobody is answered any more.
    """

    slot: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: By their file descriptors: until when a thread may read from connections.
        self.deadlines: dict[int, float] = {}

    def notify(self) -> None:
        super().notify()
        self.give_up_on_the_slow()
        _connections[int(self.slot) % SLOTS] = min(self.nr_conns, NOBODY - 1) if self.alive else NOBODY

    def accept(self, listener: socket.socket) -> None:
        if self.nr_conns > min(_connections):
            # Whoever is less busy has been woken, too; then there is nothing left to accept.
            time.sleep(YIELD)
        super().accept(listener)
        self.notify()

    def enqueue_req(self, conn: TConn) -> None:
        """Hands a connection to a thread, a new one as soon as something has come of its request."""
        if conn.initialized or conn.data_ready or _readable(conn.sock, 0):
            super().enqueue_req(conn)
            return
        # As gunicorn does where a thread has waited for five seconds.
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: TConn) -> Any:
        """What gunicorn's does for one request, for each of those that come without a pause."""
        # TLS makes another object of the socket meanwhile, with the same number.
        number = conn.sock.fileno()
        try:
            again = self._handle_one(conn, number)
            while again is True and self.alive and not self.crowded and _readable(conn.sock, LINGER):
                again = self._handle_one(conn, number)
            return again
        finally:
            self.deadlines.pop(number, None)

    def _handle_one(self, conn: TConn, number: int) -> Any:
        self.deadlines[number] = time.monotonic() + HEAD_SECONDS
        return super().handle(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        self.deadlines[conn.sock.fileno()] = time.monotonic() + BODY_SECONDS
        return super().handle_request(req, conn)

    def give_up_on_the_slow(self) -> None:
        """Lets threads that have read for too long find the end of what they read.

        A request of which no more comes is one that broke off. An answer on its way is not touched.
        """
        now = time.monotonic()
        for number, deadline in self.deadlines.copy().items():
            if deadline < now and self.deadlines.pop(number, None) == deadline:
                with suppress(OSError), socket.socket(fileno=os.dup(number)) as late:
                    late.shutdown(socket.SHUT_RD)

    @property
    def crowded(self) -> bool:
        """Whether connections wait for a thread."""
        asking = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        return bool(asking > self.cfg.threads)


def _readable(sock: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


class AccessLogger(Logger):
    """gunicorn's, which gathers for the access log no more than `access_log_format` names.

    gunicorn's own turns every header and every variable of a request into a text, whatever is asked for.
    """

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> dict[str, Any]:
        request_ids = [value for name, value in resp.headers if name == "X-Request-ID"]
        return {
            "h": environ.get("REMOTE_ADDR", "-"),
            "m": environ["REQUEST_METHOD"],
            "U": environ.get("PATH_INFO", "-"),  # none where the request could not be read
            "s": resp.status.split(None, 1)[0] if isinstance(resp.status, str) else resp.status,
            "B": resp.sent,
            "L": f"{request_time.total_seconds():.6f}",
            "{x-request-id}o": request_ids[0] if request_ids else "-",
        }
