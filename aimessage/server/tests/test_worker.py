"""gunicorn's worker as this project runs it: who takes a connection, and who gets a thread."""

import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from aimessage.server.tests.serving import POST, _answer_in, ask, begun, received, running
from aimessage.server.worker import LINGER

pytestmark = [pytest.mark.once, pytest.mark.waits]


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
