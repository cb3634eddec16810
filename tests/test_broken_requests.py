"""Malformed HTTP requests to every route of a real gunicorn."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.api_catalogue import CATALOGUE, Operation
from tests.faults.clients import Person, people
from tests.faults.servers import Application, serving
from tests.wire import Reply, exchange

pytestmark = pytest.mark.once

WORKERS = 2
#: Seconds within which every request must be answered, on a busy machine.
PATIENCE = 20
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = 300 * 1024
#: What follows the request line and the usual headers, and the status that every route answers.
REFUSED: dict[str, tuple[bytes, int]] = {
    "a header line of 1 MB": (b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\n", 431),
    "200 headers": (b"X-Many: x\r\n" * 200 + b"\r\n", 431),
    "300 KiB": (b"Content-Length: %d\r\n\r\n" % LARGE + b"x" * LARGE, 413),
    "300 KiB in a chunk": (CHUNKED + b"%x\r\n" % LARGE + b"x" * LARGE + b"\r\n0\r\n\r\n", 413),
    "300 KiB in chunks": (CHUNKED + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 300 + b"0\r\n\r\n", 413),
    "a chunk size that is no number": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk size below 0": (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", 400),
    "no chunk size": (CHUNKED + b"\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk longer than its size": (CHUNKED + b"2\r\n{}{}\r\n0\r\n\r\n", 400),
    "Content-Length twice": (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two Content-Lengths": (b"Content-Length: 2\r\nContent-Length: 12\r\n\r\n{}", 400),
    "a list of Content-Lengths": (b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a Content-Length below 0": (b"Content-Length: -2\r\n\r\n{}", 400),
    "Content-Length, then chunks": (b"Content-Length: 2\r\n" + CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "chunks, then Content-Length": (
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        400,
    ),
    "chunked twice": (b"Transfer-Encoding: chunked\r\n" + CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "another coding": (b"Transfer-Encoding: gzip\r\n\r\n{}", 400),
}
#: The same, with a wrong body alone. A route that reads no body does not mind.
UNREADABLE: dict[str, bytes] = {
    "an array in chunks": CHUNKED + b"1\r\n[\r\n1\r\n]\r\n0\r\n\r\n",
    "98 bytes too few": b"Content-Length: 100\r\n\r\n{}",
    "no body after all": b"Content-Length: 100\r\n\r\n",
    "a chunk too short": CHUNKED + b"a\r\n{}",
    "a chunk without end": CHUNKED + b"2\r\n{}\r\n",
    "a chunk that does not come": CHUNKED + b"a\r\n",
    "no chunk": CHUNKED,
    "a chunk of exabytes": CHUNKED + b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "bad UTF-8": b'Content-Length: 10\r\n\r\n{"a": "\xff"}',
    **{
        f"charset={charset}": b"Content-Type: application/json; charset=%b\r\n" % charset.encode()
        + b"Content-Length: 4\r\n\r\n\xff\xfe{}"
        for charset in ("utf-16", "latin-1", "base64", "undefined", "x" * 500)
    },
}


#: Tables that the server writes for itself: its processes, its open streams, and SQLite's last ids.
#: Routes that read no body answer whatever follows their head, so /events/stream does open.
OF_THE_SERVER = {"events_process", "events_openstream", "sqlite_sequence"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("broken")
    with serving(Application(folder, f"sqlite:///{folder}/test.sqlite3", workers=WORKERS)) as running:
        yield running


def rows(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the database, without the last use of sessions and the server's own tables."""
    held = {}
    with sqlite3.connect(f"file:{folder}/test.sqlite3?mode=ro", uri=True) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        for (table,) in tables.fetchall():
            if table in OF_THE_SERVER:
                continue
            found = connection.execute(f"SELECT * FROM {table}")  # noqa: S608  names of our own tables
            names = [column[0] for column in found.description]
            keep = [n for n, name in enumerate(names) if name != "last_used_at"]
            held[table] = sorted((tuple(row[n] for n in keep) for row in found), key=repr)
    return held


def is_problem(reply: Reply, status: int) -> bool:
    kind = reply.headers.get("content-type")
    return (reply.status, kind) == (status, "application/problem+json") and b'"detail"' in reply.body


def test_every_route_refuses_them_and_nothing_changes(served: Application) -> None:
    (person,) = people(served, 1)
    # The first request for events gives the log its name, which is a row.
    exchange(served.port, head("GET", "/events", person) + b"\r\n", patience=PATIENCE)
    before, workers = rows(served.folder), served.worker_pids()

    def send(method: str, path: str, rest: bytes) -> Reply:
        kind = b"" if rest.startswith(b"Content-Type") else b"Content-Type: application/json\r\n"
        return exchange(served.port, head(method, path, person) + kind + rest, patience=PATIENCE)

    def fault_of(what: str, operation: Operation) -> str | None:
        # No object has that id: a DELETE does not read its body, and would delete.
        method, path = operation.method, operation.url(defaultdict(lambda: "987654"))
        try:
            reply = send(method, path, REFUSED[what][0] if what in REFUSED else UNREADABLE[what])
        except TimeoutError:
            return f"{what}, {method} {path}: no answer"
        if what in REFUSED:
            held = is_problem(reply, REFUSED[what][1])
        elif method in {"POST", "PUT", "PATCH"}:
            held = is_problem(reply, 400) or is_problem(reply, 404)
        else:
            held = reply.status == 200 or is_problem(reply, 404)
        return None if held else f"{what}, {method} {path}: {reply}"

    every = [(what, operation) for what in (*REFUSED, *UNREADABLE) for operation in CATALOGUE.values()]
    with ThreadPoolExecutor(2 * WORKERS) as pool:
        faults = [fault for fault in pool.map(lambda one: fault_of(*one), every) if fault]

    assert faults == []
    assert len(every) >= 1000
    assert rows(served.folder) == before
    assert served.worker_pids() == workers
    assert "Traceback" not in served.log()
    for _ in range(4 * WORKERS):
        assert send("GET", "/auth/me", b"\r\n").status == 200


def head(method: str, path: str, person: Person) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {person.access}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()
