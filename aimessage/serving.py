"""gunicorn's threaded worker, which spreads connections evenly and stays with a client who goes on asking."""

import mmap
import select
import socket
import time
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

#: Seconds for which a thread waits for the next request of a client before it gives the connection back.
#: Whoever has just got an answer often asks on at once: a client under load, or a proxy.
LINGER = 0.002
#: Seconds that a worker leaves a new connection to another one who has fewer.
YIELD = 0.001
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
    another and back, which costs as much as answering a small one.
    """

    slot: str

    def notify(self) -> None:
        super().notify()
        _connections[int(self.slot) % SLOTS] = min(self.nr_conns, NOBODY - 1) if self.alive else NOBODY

    def accept(self, listener: socket.socket) -> None:
        if self.nr_conns > min(_connections):
            # Whoever is less busy has been woken, too; then there is nothing left to accept.
            time.sleep(YIELD)
        super().accept(listener)
        self.notify()

    def handle(self, conn: TConn) -> Any:
        """What gunicorn's does for one request, for each of those that come without a pause."""
        again = super().handle(conn)
        while again is True and self.alive and not self.crowded and _readable(conn.sock, LINGER):
            again = super().handle(conn)
        return again

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
