"""gunicorn's threaded worker, with a loop that reads requests and sends answers for its threads."""

import errno
import resource
import socket
import ssl
import time
from collections import Counter, OrderedDict
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from wsgiref.types import WSGIApplication

from gunicorn import sock as gunicorn_sock
from gunicorn.http.errors import NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.gthread import ThreadWorker

from aimessage.server import load
from aimessage.server.connections import Connection
from aimessage.server.framing import BODY, HANDSHAKE, LEAVING, SENDING, SILENT, STREAMING
from aimessage.server.stream_loop import Streams
from aimessage.server.streams import with_streams
from aimessage.server.threads import Threads

#: Seconds for which a thread waits for the client's next request before the loop gets the connection back.
#: Proxies, and clients under load, often send the next request at once.
LINGER = 0.002
#: Seconds for which a worker leaves a new connection to a worker that has fewer.
YIELD = 0.001
#: Seconds after which a connection without a request counts as idle. Until then its request may be coming.
ABOUT_TO_ASK = 2.0
#: Seconds between two searches for connections past their deadline.
SWEEP = 0.5
#: Bytes that one worker buffers for all peers; with more, it closes those that have waited longest.
MAX_HELD = 64 * 1024 * 1024
#: Bytes that the kernel buffers for one connection; its default is up to 4 MiB.
KERNEL_BUFFER = 128 * 1024
#: File descriptors for everything else: databases, logs, modules.
RESERVED_FILES = 128


class Worker(ThreadWorker):
    """gunicorn.conf.py sets `slot`.

    gunicorn's own worker gives a connection a thread until the request has arrived and the answer is sent, so
    a few dozen slow peers stop it. Here the main thread reads (and decrypts) until a request is whole, a
    thread runs the application, and the main thread sends what the peer does not take at once. A connection
    that is slower than its phase allows (aimessage/server/framing.py) is closed. If there are too many, the
    worker closes idle ones first, then those that have waited longest.
    """

    slot: str
    wsgi: WSGIApplication
    #: Bytes of a body that the application accepts.
    max_body = 256 * 1024
    #: Whether to limit the share of connections and threads of one address. Off behind a proxy, where all
    #: clients have the same address.
    bounds_addresses = True
    #: Streams that the application may open, on top of `worker_connections`.
    max_streams = 0

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        #: Connections that wait for their peers, with the time their phase began, oldest first.
        self.waiting: OrderedDict[Connection, float] = OrderedDict()
        #: All connections without streams, by peer.
        self.connections_of: Counter[str | None] = Counter()
        self.threads = Threads(self)
        self.next_sweep = 0.0
        self.received_since_sweep = 0
        self.stop_idle_at: float | None = None
        self.streams = Streams(self)

    def init_process(self) -> None:
        self._bound_files()
        SILENT.grace = self.cfg.keepalive or SILENT.grace
        self.tls = gunicorn_sock.ssl_context(self.cfg) if self.cfg.is_ssl else None
        for listener in self.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = with_streams(self.wsgi)

    def _bound_files(self) -> None:
        # A connection uses at most two: its socket, and the file that it is sent.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = RESERVED_FILES + self.max_streams + 2 * self.cfg.worker_connections
        if 0 <= soft < wanted:
            with suppress(OSError, ValueError):
                raised = wanted if hard < 0 else min(wanted, hard)
                resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
                soft = raised
            # If there are too few, streams get at most half.
            reserved = RESERVED_FILES + min(self.max_streams, soft // 2)
            most = max(self.cfg.threads + 2, (soft - reserved) // 2)
            self.worker_connections = min(self.cfg.worker_connections, most)

    # --- Connections come ---

    def accept(self, listener: socket.socket) -> None:
        if self.nr_conns > load.lowest():
            # A less busy worker was woken, too, and can accept the connection first.
            time.sleep(YIELD)
        try:
            wire, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self.make_room()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        conn = Connection(wire, client, listener.getsockname(), max_body=self.max_body)
        conn.peer = conn.network if self.bounds_addresses else None
        self.count(conn, +1)
        self.notify()
        if self.nr_conns >= self.worker_connections:
            self.make_room()
        too_many = conn.peer and self.connections_of[conn.peer] > self.worker_connections // 2
        if too_many and not self.make_room(conn.peer):
            self.close(conn)
            return
        if self.tls is not None:
            try:
                conn.start_tls(self.tls)
            except OSError:  # the peer is gone
                self.close(conn)
                return
        self.go_on(conn)

    def notify(self) -> None:
        super().notify()
        if self.alive:
            load.publish(self.slot, self.nr_conns)
        else:
            load.forget(self.slot)

    # --- Connections wait for their peers, in the main thread ---

    def go_on(self, conn: Connection) -> None:
        """Does what is possible without waiting: then a thread answers, or it is closed, or it waits."""
        held = len(conn.received)
        try:
            if self._is_ready(conn):
                self.threads.submit(conn)
            elif conn.phase is not STREAMING:
                self.wait(conn)
        except EOFError:
            self.close(conn)
        except OSError as error:
            if isinstance(error, ssl.SSLError) and conn.phase is HANDSHAKE:
                self.log.warning("Invalid request from ip=%s: %s", conn.network, error)
            self.close(conn)
        self.received_since_sweep += max(0, len(conn.received) - held)
        if self.received_since_sweep > MAX_HELD // 4:
            self.sweep()

    def _is_ready(self, conn: Connection) -> bool:
        """Whether a request is there to be answered. Raises EOFError if the connection is over."""
        if conn.phase is HANDSHAKE and not conn.shake_hands():
            return False
        if conn.phase is SENDING:
            if not conn.sock.flush():
                return False
            if conn.stream is not None:
                self.streams.open(conn, conn.stream)
                return False
            if conn.stays:
                conn.enter(SILENT)
            else:
                conn.leave()
        if conn.phase is LEAVING:
            if conn.drain():
                raise EOFError
            return False
        return conn.receive()

    def wait(self, conn: Connection) -> None:
        if self.waiting.get(conn) != conn.since:
            self.waiting[conn] = conn.since
            self.waiting.move_to_end(conn)
        if conn.watched == conn.wanted:
            return
        change = self.poller.modify if conn.watched else self.poller.register
        change(conn.wire, conn.wanted, partial(self.on_ready, conn))
        conn.watched = conn.wanted

    def on_ready(self, conn: Connection, wire: socket.socket) -> None:
        if conn in self.waiting:  # otherwise it was closed since the poller woke up
            self.go_on(conn)

    def stop_waiting(self, conn: Connection) -> None:
        self.waiting.pop(conn, None)
        if conn.watched:
            self.poller.unregister(conn.wire)
            conn.watched = 0

    def close(self, conn: Connection, *, reset: bool = False) -> None:
        self.stop_waiting(conn)
        self.count(conn, -1)
        conn.close(reset=reset)

    def count(self, conn: Connection, change: int) -> None:
        self.nr_conns += change
        self.connections_of[conn.peer] += change
        if not self.connections_of[conn.peer]:
            del self.connections_of[conn.peer]

    def make_room(self, peer: str | None = None) -> bool:
        """Closes one waiting connection (of `peer`, if given); returns whether there was one."""
        longest, now = None, time.monotonic()
        for conn, since in self.waiting.items():
            if peer is None or conn.peer == peer:
                if conn.phase.idle and now - since > ABOUT_TO_ASK:
                    longest = conn
                    break
                longest = longest or conn
        if longest is not None:
            self.close(longest, reset=True)
        return longest is not None

    # --- Threads answer ---

    def finish_request(self, conn: Connection, done: Future[bool]) -> None:
        self.threads.release(conn)
        conn.stays = conn.stays and not done.exception() and done.result()
        self.received_since_sweep += conn.sock.held
        conn.enter(SENDING)
        self.go_on(conn)

    def handle(self, conn: Connection) -> bool:
        """Answers one request, and those that follow within LINGER; returns whether more may follow."""
        again = self.answer(conn)
        with suppress(OSError, EOFError):  # the main thread gets the same error
            while again and conn.sock.flush() and self.alive and not self.threads.crowded:
                conn.enter(SILENT)
                if not conn.receive() and not (conn.is_readable_within(LINGER) and conn.receive()):
                    break
                again = self.answer(conn)
        return again

    def answer(self, conn: Connection) -> bool:
        req = None
        data, complete = conn.take_request()
        try:
            req = Request(self.cfg, IterUnreader(data), conn.client, conn.requests)
            req._expected_100_continue = False  # Connection has sent it
            return self.handle_request(req, conn) and complete
        except (NoMoreData, StopIteration, ConnectionError) as error:
            self.log.debug("The connection broke off: %s", error)
        except OSError:  # from the application, too late for an answer
            self.log.exception("Socket error processing request.")
        except Exception as error:
            self.handle_error(req, conn.sock, conn.client, error)
        return False

    # --- Deadlines and shutdown; ThreadWorker.run calls these ---

    def murder_keepalived(self, force: bool = False) -> None:
        if force:
            for conn in list(self.waiting):
                self.close(conn)
            self.streams.close_all()
        elif time.monotonic() >= self.next_sweep:
            self.sweep()

    def murder_pending(self) -> None:
        pass

    def _cap_keepalive(self, deadline: float) -> None:
        self.stop_idle_at = deadline
        self.streams.end_all()

    def sweep(self) -> None:
        now = time.monotonic()
        self.next_sweep, self.received_since_sweep = now + SWEEP, 0
        stopping = self.stop_idle_at is not None and now >= self.stop_idle_at
        for conn in list(self.waiting):
            if conn.is_late(now) and conn.phase is BODY:
                conn.break_off()
                self.threads.submit(conn)
            elif conn.is_late(now) or (stopping and conn.phase.idle):
                self.close(conn, reset=conn.phase is SENDING)
        # If too much is buffered, those that have waited longest are closed first.
        held = sum(conn.held for conn in (*self.waiting, *self.streams.carriers))
        for conn in (*self.waiting, *self.streams.carriers):
            if held <= MAX_HELD:
                break
            if conn.held:
                held -= conn.held
                if conn in self.streams.carriers:
                    self.streams.close(conn)
                else:
                    self.close(conn, reset=True)
        if self.nr_conns >= self.worker_connections:
            self.make_room()
