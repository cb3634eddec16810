"""Peers that send and read slowly or not at all, and one that asks meanwhile whether the server is alive."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache

#: Bytes that the kernel holds for one who does not read; small, so that little of an answer fits.
SMALL = 4096
#: Seconds between two bytes of those who drip, and after which who was thrown out comes again.
DRIP = 0.5
#: The longest that one may wait for `/health` (the contract's row *alive*).
ALIVE = 2.0
#: Seconds after which one who asks gives up, for the worst figure that can be told.
GIVE_UP = 20.0
#: Seconds at most until all have come.
GATHER = 30.0


@dataclass
class Peer:
    """What one slow peer says at once, what it says byte by byte after that, and whether it reads drops."""

    first: bytes = b""
    drips: bytes = b""
    reads: int = 0


HEAD = b"POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SILENT = Peer()
SLOW_HEAD = Peer(b"GET /auth/me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"x" * 1000)
NO_BODY = Peer(HEAD + b"Content-Length: 1000\r\n\r\n")
SLOW_BODY = Peer(HEAD + b"Content-Length: 100000\r\n\r\n{", b" " * 1000)
SLOW_CHUNKS = Peer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 200)
ENDLESS_HEAD = Peer(
    b"GET /auth/me HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: x\r\n" * 50, b"X-Many: x\r\n" * 90
)


@lru_cache(maxsize=1)
def trusting() -> ssl.SSLContext:
    """For a certificate that nobody signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def asking(path: str, *, times: int, reads: int = 0, token: str = "") -> Peer:
    """Asks for the same again and again, and reads nothing of it, or `reads` bytes now and then."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return Peer(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n".encode() * times, reads=reads)


@dataclass
class Crowd:
    """`count` slow peers at a port, who come again where they are thrown out."""

    port: int
    peer: Peer
    count: int
    source: str = "127.0.0.1"
    tls: bool = False
    #: Seconds after which all leave and come again; None stays for good.
    wave: float | None = None
    over: threading.Event = field(default_factory=threading.Event)
    #: How often one came.
    came: int = 0

    def start(self) -> None:
        self.threads = [
            threading.Thread(target=self._drive, args=(share,), daemon=True) for share in self._shares()
        ]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(GIVE_UP)

    def _shares(self) -> list[int]:
        each = 100
        return [min(each, self.count - start) for start in range(0, self.count, each)]

    def _drive(self, share: int) -> None:
        held: list[tuple[socket.socket, Iterator[int]]] = []
        since = time.monotonic()
        while not self.over.is_set():
            if self.wave and time.monotonic() - since > self.wave:
                since = time.monotonic()
                for peer, _ in held:
                    peer.close()
                held = []
            while len(held) < share and not self.over.is_set():
                with suppress(OSError):
                    held.append((self._come(), iter(self.peer.drips)))
                    continue
                break
            for one in list(held):
                if not self._go_on(*one):
                    one[0].close()
                    held.remove(one)
            self.over.wait(DRIP)
        for peer, _ in held:
            peer.close()

    def _come(self) -> socket.socket:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        plain.settimeout(2)
        plain.bind((self.source, 0))
        plain.connect(("127.0.0.1", self.port))
        self.came += 1
        if self.tls:
            plain = trusting().wrap_socket(plain)
        plain.settimeout(0.2)
        with suppress(TimeoutError, ssl.SSLWantWriteError):
            plain.sendall(self.peer.first)
        plain.setblocking(False)
        return plain

    def _go_on(self, peer: socket.socket, drips: Iterator[int]) -> bool:
        """Sends a byte, or reads a few; whether it is still connected."""
        try:
            if (byte := next(drips, None)) is not None:
                peer.send(bytes([byte]))
            if self.peer.reads:
                return bool(peer.recv(self.peer.reads))
            if not isinstance(peer, ssl.SSLSocket) and not self.peer.first.startswith(b"GET"):
                return bool(peer.recv(1, socket.MSG_PEEK))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            return False
        return True


@contextmanager
def besieged(*crowds: Crowd) -> Iterator[None]:
    for crowd in crowds:
        crowd.start()
    try:
        until = time.monotonic() + GATHER
        while any(crowd.came < crowd.count for crowd in crowds) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1)
        yield
    finally:
        for crowd in crowds:
            crowd.over.set()
        for crowd in crowds:
            crowd.stop()


def waits(port: int, seconds: float, *, tls: bool = False, path: str = "/health") -> list[float]:
    """How long each request waited that was made, one after the other on new connections, meanwhile."""
    waited = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        start = time.monotonic()
        try:
            answer = ask(port, path, tls=tls)
        except OSError:
            waited.append(GIVE_UP)
            continue
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
        waited.append(time.monotonic() - start)
        time.sleep(0.05)
    return waited


def ask(port: int, path: str, *, tls: bool = False, token: str = "") -> bytes:
    connection: socket.socket = socket.create_connection(("127.0.0.1", port), GIVE_UP)
    with connection:
        if tls:
            connection = trusting().wrap_socket(connection)
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))
