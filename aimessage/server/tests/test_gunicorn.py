"""What gunicorn answers by itself to requests that the application never sees, and how a worker begins."""

import gc
import json
import runpy
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from aimessage.api.guesses import QUEUE
from aimessage.server import slots
from aimessage.tests.asserts import assert_known_codes

CONFIG = Path(__file__).parents[3] / "gunicorn.conf.py"


@pytest.mark.parametrize(
    ("given", "reason", "status", "code"),
    [
        (400, "Bad Request", 400, "unreadable"),
        (403, "Forbidden", 403, "forbidden"),
        (414, "URI Too Long", 414, "too_large"),
        (417, "Expectation Failed", 417, "expectation_failed"),
        (431, "Request Header Fields Too Large", 431, "too_large"),
        (500, "Internal Server Error", 500, "internal_error"),
        # an unknown transfer coding, with the reason that gunicorn gives
        (501, "Bad Request", 400, "unreadable"),
    ],
)
def test_its_errors_have_the_one_shape_and_every_responses_headers(
    given: int, reason: str, status: int, code: str
) -> None:
    write_problem = runpy.run_path(str(CONFIG))["write_problem"]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        write_problem(ours, given, reason, "what went wrong inside")
        head, _, body = theirs.recv(4096).decode().partition("\r\n\r\n")

    status_line, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert status_line == f"HTTP/1.1 {status} {reason}"
    assert headers["Content-Type"] == "application/problem+json"
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert len(headers["X-Request-ID"]) == 32
    problem = json.loads(body)
    assert (problem["status"], problem["title"]) == (status, reason)
    assert problem["code"] == code
    assert ("errors" in problem) == (status == 400)
    assert_known_codes(problem)
    assert isinstance(problem["detail"], str)
    assert "inside" not in body


def test_a_worker_looks_for_garbage_once_it_has_loaded_the_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooks = runpy.run_path(str(CONFIG))
    worker = SimpleNamespace(slot="0", cfg=SimpleNamespace(threads=4))
    monkeypatch.setattr(slots, "enter_slot", lambda slot: None)
    monkeypatch.setattr(QUEUE, "bound", lambda threads: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)

    hooks["post_fork"](None, worker)
    loading = gc.isenabled()
    hooks["post_worker_init"](worker)

    assert (loading, gc.isenabled()) == (False, True)
