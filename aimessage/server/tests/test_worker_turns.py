"""How long a connection keeps its thread, and what the access log says of it."""

import re
import runpy
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import ThreadWorker

from aimessage.server import load
from aimessage.server import worker as serving
from aimessage.server.access_log import AccessLogger
from aimessage.server.connections import Connection
from aimessage.server.tests.serving import ROOT
from aimessage.server.worker import Worker

pytestmark = pytest.mark.once


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
