"""What the worker bounds: slow clients, idle connections, one address, memory and files."""

import select
import time
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from aimessage.server.tests.serving import POST, _answer_in, ask, begun, received, running

pytestmark = [pytest.mark.once, pytest.mark.waits]


#: The longest that anybody else may wait (the contract's row *alive*).
ALIVE = 2.0


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


def test_who_has_just_come_is_not_closed_for_those_who_are_slow(tmp_path: Path) -> None:
    unbounded = "from aimessage.server.worker import Worker\nWorker.bounds_addresses = False\n"
    with (
        running(tmp_path, "--workers", "1", "--worker-connections", "40", more=unbounded) as port,
        begun(port, 45, BEGUN["stops in its head"]),
        begun(port, 1, b"") as (fresh,),
        begun(port, 5, BEGUN["stops in its head"]),
    ):
        fresh.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert received(fresh).startswith(b"HTTP/1.1 200")


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
