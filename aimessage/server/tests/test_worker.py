"""gunicorn's worker as this project runs it: who takes a connection, who gets a thread, and for how long."""

import os
import re
import runpy
import select
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import ThreadWorker

from aimessage.server import load
from aimessage.server import worker as serving
from aimessage.server.access_log import AccessLogger
from aimessage.server.connections import Connection
from aimessage.server.worker import LINGER, Worker

pytestmark = pytest.mark.once

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
    """The port of a gunicorn whose answers are the process id of the worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
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


def test_connections_are_spread_over_the_workers(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "2", "--threads", "4") as port, ExitStack() as opened:
        seen: Counter[str] = Counter()
        deadline = time.monotonic() + 30
        while len(seen) < 2:  # until both are up
            assert time.monotonic() < deadline
            with socket.create_connection(("127.0.0.1", port)):
                connection = HTTPConnection("127.0.0.1", port)
                seen[ask(connection)] += 1
                connection.close()
        time.sleep(0.5)
        seen.clear()
        for _ in range(20):
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            opened.callback(connection.close)
            seen[ask(connection)] += 1

    # Ten each, but for a worker that the machine keeps waiting for longer than the other waits for it.
    assert min(seen.values()) >= 5, seen


def _answer_in(seconds: float, port: int, path: str = "/", source: str = "127.0.0.1") -> str:
    """An answer on a connection of its own, which must come within so many seconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds, source_address=(source, 0))
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_who_says_nothing_keeps_no_thread(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "1", "--threads", "2") as port, ExitStack() as opened:
        ask(HTTPConnection("127.0.0.1", port, timeout=30))
        for _ in range(20):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.2)
        started = time.monotonic()

        assert _answer_in(20, port)
        # gunicorn's own would wait for five seconds with each of its threads.
        assert time.monotonic() - started < 4


def test_who_connects_and_asks_later_is_answered(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "1", "--threads", "1") as port:
        late = HTTPConnection("127.0.0.1", port, timeout=30)
        late.connect()
        time.sleep(0.3)

        assert _answer_in(30, port) == ask(late)
        late.close()


#: The longest that anybody else may wait (the contract's row *alive*).
ALIVE = 2.0
POST = b"POST /read HTTP/1.1\r\nHost: x\r\n"
BEGUN = {
    "says nothing": b"",
    "stops in its head": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "sends no body": POST + b"Content-Length: 9\r\n\r\n",
    "stops in its body": POST + b"Content-Length: 9\r\n\r\n1234",
    "stops in a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\n1234",
    "stops between chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n",
    "reads nothing of what it asked for": b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
    "reads nothing of a file": b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
    "does not hang up": b"GET / HTTP/1.0\r\n\r\n",
}


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


@pytest.mark.parametrize("said", BEGUN.values(), ids=BEGUN.keys())
def test_who_is_slow_keeps_no_thread(tmp_path: Path, said: bytes) -> None:
    with running(tmp_path, "--workers", "1", "--threads", "2") as port:
        ask(HTTPConnection("127.0.0.1", port, timeout=30))
        with begun(port, 20, said):
            for _ in range(3):
                assert _answer_in(ALIVE, port)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("says nothing", b""),
        ("stops in its head", b""),
        ("stops in its body", b"HTTP/1.1 200"),
        ("reads nothing of a file", b"HTTP/1.1 200"),
        ("does not hang up", b"HTTP/1.0 200"),
    ],
)
def test_who_stays_slow_is_given_up(tmp_path: Path, said: str, told: bytes) -> None:
    limits = "keepalive = 1\nfrom aimessage.server import framing as f\n"
    limits += "f.HEAD.grace = f.BODY.grace = f.SENDING.grace = f.LEAVING.grace = 1.0\n"
    with running(tmp_path, "--workers", "1", more=limits) as port, begun(port, 1, BEGUN[said]) as (peer,):
        time.sleep(3)
        got = received(peer)

    assert got.startswith(told)
    assert bool(got) == bool(told)
    assert len(got) < 4 * 1024 * 1024  # where it read nothing


@pytest.mark.parametrize(("pause", "whole"), [(0.02, True), (0.5, False)])
def test_a_body_must_keep_up_the_least_rate(tmp_path: Path, pause: float, whole: bool) -> None:
    limits = "from aimessage.server import framing as f\nf.BODY.grace, f.BODY.rate = 0.5, 20\n"
    said = POST + b"Content-Length: 100\r\nConnection: close\r\n\r\n"
    with running(tmp_path, "--workers", "1", more=limits) as port, begun(port, 1, said) as (peer,):
        with suppress(OSError):
            for _ in range(100):
                peer.sendall(b"x")
                time.sleep(pause)
                if select.select([peer], [], [], 0)[0]:
                    break
        body = received(peer).partition(b"\r\n\r\n")[2]

    assert (body == b"x" * 100) is whole
    assert body


def test_the_longest_idle_make_room(tmp_path: Path) -> None:
    with (
        running(tmp_path, "--workers", "1", "--worker-connections", "40") as port,
        begun(port, 70, b"") as peers,
    ):
        assert _answer_in(ALIVE, port)
        assert [received(peer) for peer in peers[:5]] == [b""] * 5


def test_one_address_leaves_the_connections_of_others(tmp_path: Path) -> None:
    with (
        running(tmp_path, "--workers", "1", "--worker-connections", "40") as port,
        begun(port, 1, POST + b"Content-Length: 2\r\nConnection: close\r\n\r\n1") as (slow,),
        # They are not idle either, and so many that the first would go.
        begun(port, 100, BEGUN["stops in its head"], source="127.0.0.2"),
    ):
        slow.sendall(b"2")
        assert received(slow).endswith(b"\r\n\r\n12")


SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


def test_one_address_leaves_a_thread_to_others_and_to_who_asks_whether_it_is_alive(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "1", "--threads", "4") as port, begun(port, 12, SLOW) as peers:
        assert _answer_in(ALIVE, port, source="127.0.0.2")
        assert _answer_in(ALIVE, port, path="/health")
        for peer in peers:  # who waits is answered, too
            peer.settimeout(30)
            assert peer.recv(12) == b"HTTP/1.1 200"


def test_the_address_of_a_trusted_proxy_has_all_threads(tmp_path: Path) -> None:
    proxied = "from aimessage.server.worker import Worker\nWorker.bounds_addresses = False\n"
    options = ["--workers", "1", "--threads", "4"]
    with running(tmp_path, *options, more=proxied) as port, begun(port, 4, SLOW) as peers:
        start = time.monotonic()
        for peer in peers:
            assert peer.recv(12) == b"HTTP/1.1 200"
        # Two rounds would take five seconds.
        assert time.monotonic() - start < 4


def test_what_waits_in_memory_is_bounded(tmp_path: Path) -> None:
    limits = "from aimessage.server import worker as serving\nserving.MAX_HELD = 8 * 1024 * 1024\n"
    said = b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with running(tmp_path, "--workers", "1", more=limits) as port, begun(port, 8, said) as peers:
        time.sleep(2)
        whole = [len(received(peer)) > 4 * 1024 * 1024 for peer in peers[-1:] + peers[:1]]

    assert whole == [True, False]


def test_files_are_bounded(tmp_path: Path) -> None:
    limits = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
    with running(tmp_path, "--workers", "1", more=limits) as port:
        worker = _answer_in(20, port)
        with begun(port, 300, b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n"):
            assert _answer_in(ALIVE, port) == worker


def test_a_body_is_asked_for_once(tmp_path: Path) -> None:
    head = POST + b"Content-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
    with running(tmp_path, "--workers", "1") as port, begun(port, 1, head) as (peer,):
        assert peer.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"12")
        answer = received(peer)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n12")


@pytest.mark.parametrize("path", ["/big", "/file", "/stream"])
def test_who_reads_in_the_end_gets_all_of_it(tmp_path: Path, path: str) -> None:
    with running(tmp_path, "--workers", "1", "--threads", "1") as port:
        slow = HTTPConnection("127.0.0.1", port, timeout=30)
        slow.request("GET", path)
        time.sleep(1)
        body = slow.getresponse().read()
        slow.close()

    assert body == b"x" * len(body)
    assert len(body) == (6 if path == "/stream" else 1) * 4 * 1024 * 1024


def test_a_stream_that_nobody_reads_ends(tmp_path: Path) -> None:
    limits = "from aimessage.server import framing as f\nf.SENDING.grace = 1.0\n"
    said = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
    with running(tmp_path, "--workers", "1", "--threads", "1", more=limits) as port, begun(port, 1, said):
        assert _answer_in(20, port)


def test_an_answer_that_takes_longer_than_a_request_may_arrives(tmp_path: Path) -> None:
    limits = "from aimessage.server import framing\nframing.HEAD.grace = framing.BODY.grace = 0.5\n"
    with running(tmp_path, "--workers", "1", "--threads", "2", more=limits) as port:
        slow = HTTPConnection("127.0.0.1", port, timeout=30)
        slow.request("GET", "/slow")

        assert slow.getresponse().read()
        slow.close()
        assert _answer_in(30, port)


def test_one_thread_answers_everybody_in_turn(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "1", "--threads", "1") as port:
        quiet = threading.Event()

        def chat() -> None:
            busy = HTTPConnection("127.0.0.1", port, timeout=30)
            while not quiet.is_set():
                ask(busy)
            busy.close()

        chatting = threading.Thread(target=chat)
        chatting.start()
        other = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            answers = [ask(other) for _ in range(20)]
        finally:
            quiet.set()
            chatting.join()
            other.close()

    assert len(set(answers)) == 1


@pytest.mark.parametrize("pause", [0, LINGER / 2, 20 * LINGER])
def test_a_connection_goes_on_after_a_pause(tmp_path: Path, pause: float) -> None:
    with running(tmp_path, "--workers", "1", "--threads", "2") as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(10):
            assert ask(connection).isdigit()
            time.sleep(pause)
        connection.close()


def test_requests_that_come_together_are_all_answered(tmp_path: Path) -> None:
    with (
        running(tmp_path, "--workers", "1", "--threads", "2") as port,
        socket.create_connection(("127.0.0.1", port), timeout=30) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        client.shutdown(socket.SHUT_WR)
        answers = b""
        while more := client.recv(65536):
            answers += more

    assert answers.count(b"HTTP/1.1 200 OK") == 5


@pytest.fixture
def worker() -> Worker:
    cfg = Config()
    cfg.set("threads", 2)
    made: Worker = Worker(1, 1, [], None, 30, cfg, SimpleNamespace())
    made.slot = "7"
    made.nr_conns = 1
    return made


REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def connected(first: bytes, more: bytes) -> Iterator[Connection]:
    """A connection on which `first` has been read, and `more` has come since."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = Connection(ours, ("127.0.0.1", 1), ("127.0.0.1", 2), max_body=99)
        theirs.sendall(first)
        conn.receive()
        theirs.sendall(more)
        yield conn


@pytest.fixture
def answers(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`answers(True, False)`: another request may follow the first answer, none the second."""

    def will(*again: bool) -> list[Connection]:
        left, asked = iter(again), []

        def answer(conn: Connection) -> bool:
            conn.take_request()
            asked.append(conn)
            return next(left)

        monkeypatch.setattr(worker, "answer", answer)
        return asked

    return will


@pytest.mark.parametrize(
    ("more", "again", "asked"),
    [(REQUEST * 2, [True, True, False], 3), (REQUEST, [False], 1), (b"", [True], 1), (b"GET /", [True], 1)],
)
def test_a_thread_stays_with_who_goes_on_asking(
    worker: Worker, answers: Any, more: bytes, again: list[bool], asked: int
) -> None:
    answered = answers(*again)
    with connected(REQUEST, more) as conn:
        assert (worker.handle(conn), len(answered)) == (again[-1], asked)


@pytest.mark.parametrize("change", [{"alive": False}, {"asking": 3}, {"held_back": {"192.0.2.1": [None]}}])
def test_a_thread_leaves_when_it_stops_or_others_wait(
    worker: Worker, answers: Any, change: dict[str, Any]
) -> None:
    answered = answers(True, True)
    for name, value in change.items():
        setattr(worker if name == "alive" else worker.threads, name, value)
    with connected(REQUEST, REQUEST) as conn:
        assert (worker.handle(conn), len(answered)) == (True, 1)


@pytest.mark.parametrize(("mine", "others", "yields"), [(3, 2, True), (2, 2, False), (1, 2, False)])
def test_it_leaves_a_connection_to_who_has_fewer(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, mine: int, others: int, yields: bool
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(load, "_connections", memoryview(bytearray(512)).cast("H"))
    for slot in range(load.SLOTS):
        load.forget(str(slot))
    monkeypatch.setattr(ThreadWorker, "notify", lambda self: None)
    monkeypatch.setattr(time, "sleep", naps.append)
    for slot, count in [("3", others), ("7", mine)]:
        worker.slot, worker.nr_conns = slot, count
        worker.notify()

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    worker.accept(listener)
    assert naps == [serving.YIELD] * yields

    # nor does it wait for one that is gone
    naps.clear()
    load.forget("3")
    worker.accept(listener)
    assert naps == []
    listener.close()


def test_the_access_log_has_all_that_its_format_names() -> None:
    config = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/messages", "REMOTE_ADDR": "192.0.2.7"}
    response = SimpleNamespace(
        status="200 OK", sent=12, headers=[("X-Request-ID", "abc"), ("Vary", "origin")]
    )
    logger = AccessLogger.__new__(AccessLogger)

    atoms = logger.atoms(response, None, environ, timedelta(seconds=61, microseconds=7))
    mapped = {**environ, "REMOTE_ADDR": "::ffff:192.0.2.7"}
    assert logger.atoms(response, None, mapped, timedelta())["h"] == "192.0.2.7"
    assert logger.atoms(response, None, {**environ, "REMOTE_ADDR": ""}, timedelta())["h"] == ""

    assert set(atoms) == set(re.findall(r"%\((.*?)\)s", config["access_log_format"]))
    line = config["access_log_format"] % atoms
    assert line == '192.0.2.7 "GET /messages" 200 12 bytes 61.000007 s [abc]'


def test_the_access_log_takes_what_could_not_be_read() -> None:
    response = SimpleNamespace(status="400 Bad Request", sent=0, headers=[])
    environ = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": "192.0.2.7"}  # as gunicorn has it of a broken request
    logger = AccessLogger.__new__(AccessLogger)

    atoms = logger.atoms(response, None, environ, timedelta())

    assert (atoms["U"], atoms["s"], atoms["{x-request-id}o"]) == ("-", "400", "-")
