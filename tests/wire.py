"""Requests byte by byte, as no client library would send them."""

import socket
import time
from dataclasses import dataclass


@dataclass
class Reply:
    """The first answer on a connection; no status where the connection ended without one."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    seconds: float


def exchange(port: int, data: bytes, *, patience: float) -> Reply:
    """Sends `data`, and that nothing follows. Raises TimeoutError where nothing comes back."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), patience) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before all of it was sent; the answer may be there all the same
        received = _receive(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    status = int(first.split()[1]) if first else None
    return Reply(
        status, headers, body[: int(headers.get("content-length", len(body)))], time.monotonic() - start
    )


def _receive(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
            head, ended, body = received.partition(b"\r\n\r\n")
            if ended and len(body) >= _announced(head):
                break
    except ConnectionResetError:
        pass
    return received


def _announced(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
