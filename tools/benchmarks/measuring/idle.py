"""What idle connections do to everybody else's requests."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

#: Seconds after which whoever asks has given up.
PATIENCE = 10
HALF = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
#: How many connections are held, and what was sent on each before it fell silent.
SILENCES = [(4, "nothing", b""), (4, "half a request", HALF), (40, "nothing", b"")]


@contextmanager
def holding(url: str, count: int, sent: bytes) -> Iterator[None]:
    address = urlsplit(url)
    held = [socket.create_connection((address.hostname, address.port), timeout=5) for _ in range(count)]
    try:
        for connection in held:
            connection.sendall(sent)
        # Until the server has taken them.
        time.sleep(0.2)
        yield
    finally:
        for connection in held:
            connection.close()


def health_millis(url: str) -> float | None:
    """How long GET /health takes on a connection of its own; None where PATIENCE is not enough."""
    address = urlsplit(url)
    asking = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    start = time.perf_counter()
    try:
        asking.request("GET", "/health")
        asking.getresponse().read()
    except TimeoutError:
        return None
    finally:
        asking.close()
    return round(1000 * (time.perf_counter() - start), 2)
