"""gunicorn with this project's worker and a small application."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

from tests.ports import free_port

ROOT = Path(__file__).parents[3]
APPLICATION = """
import os
import time
from pathlib import Path

BIG = b"x" * 4 * 1024 * 1024
FILE = Path(__file__).with_name("file")
FILE.write_bytes(BIG)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(2.5)
    read = environ["wsgi.input"].read()
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (BIG for _ in range(6))
    answer = {"/big": BIG, "/read": read, "/file": BIG}.get(path, str(os.getpid()).encode())
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return environ["wsgi.file_wrapper"](FILE.open("rb")) if path == "/file" else [answer]
"""
CONFIG = """
worker_class = "aimessage.server.worker.Worker"
keepalive = 30

def pre_fork(server, worker):
    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(str(slot) for slot in range(9) if str(slot) not in taken)
"""


@contextmanager
def running(folder: Path, *options: str, more: str = "") -> Iterator[int]:
    """The port of a gunicorn that answers with the process id of its worker."""
    port = free_port()
    (folder / "ids.py").write_text(APPLICATION)
    (folder / "config.py").write_text(CONFIG + more)
    command = [sys.executable, "-m", "gunicorn", "--config", str(folder / "config.py"), "ids:application"]
    command += ["--bind", f"127.0.0.1:{port}", "--no-control-socket", *options]
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while b"Booting worker" not in (folder / "log").read_bytes():
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def ask(connection: HTTPConnection) -> str:
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def _answer_in(seconds: float, port: int, path: str = "/", source: str = "127.0.0.1") -> str:
    """An answer on a connection of its own, which must come within so many seconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds, source_address=(source, 0))
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


POST = b"POST /read HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def begun(port: int, count: int, said: bytes, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    with ExitStack() as opened:
        peers = []
        for _ in range(count):
            peer = opened.enter_context(socket.socket())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.settimeout(20)
            peer.bind((source, 0))
            peer.connect(("127.0.0.1", port))
            peer.sendall(said)
            peers.append(peer)
        time.sleep(0.2)
        yield peers


def received(peer: socket.socket) -> bytes:
    """All that comes, to the end of the connection."""
    got = b""
    with suppress(ConnectionResetError):
        while more := peer.recv(65536):
            got += more
    return got
