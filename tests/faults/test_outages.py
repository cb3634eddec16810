"""What clients see while PostgreSQL is stopped, frozen or cut off, the disk is full, the server restarts."""

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import Answer, Caller, Unanswered, people
from tests.faults.servers import Application, PostgreSQL, Wire, serving

pytestmark = pytest.mark.faults

#: Seconds within which a client gets its 503, and the service is back once the database is.
PROMPT = 5.0
REQUESTS = int(os.environ.get("FAULT_REQUESTS", "10000"))
CLIENTS = 8
PROBLEM = "application/problem+json"


@pytest.fixture
def wire(postgres: PostgreSQL) -> Iterator[Wire]:
    wire = Wire(postgres.port)
    yield wire
    wire.close()


@pytest.fixture
def wired(postgres: PostgreSQL, wire: Wire, tmp_path: Path) -> Iterator[Application]:
    with serving(Application(tmp_path / "application", postgres.url(wire.port), workers=2)) as application:
        yield application


def stopped(postgres: PostgreSQL, wire: Wire) -> tuple[Callable[[], object], Callable[[], object]]:
    return postgres.stop, postgres.start


def frozen(postgres: PostgreSQL, wire: Wire) -> tuple[Callable[[], object], Callable[[], object]]:
    return lambda: postgres.signal(signal.SIGSTOP), lambda: postgres.signal(signal.SIGCONT)


def cut_off(postgres: PostgreSQL, wire: Wire) -> tuple[Callable[[], object], Callable[[], object]]:
    return wire.cut, wire.mend


@pytest.mark.parametrize("kind", [stopped, frozen, cut_off])
def test_an_outage_is_answered_promptly_and_over_when_it_is_over(
    kind: Any, wired: Application, postgres: PostgreSQL, wire: Wire, figure: Any
) -> None:
    begin, end = kind(postgres, wire)
    (alice,) = people(wired, 1)
    workers = wired.worker_pids()
    # Every thread of every worker gets a connection, which the outage then makes useless.
    together([lambda: Caller(wired.port, alice.access).call("GET", "/auth/me")] * 16)

    begin()
    try:
        # Twice, since the first meets connections that were good, and the second opens new ones.
        down = [answer for _ in range(2) for answer in together([asks(wired, alice.access)] * 12)]
        health = [Caller(wired.port).call("GET", "/health") for _ in range(5)]
        test = Caller(wired.port).call("GET", "/db-test")
    finally:
        end()
    start = time.monotonic()
    while Caller(wired.port, alice.access).call("GET", "/auth/me").status != 200:
        assert time.monotonic() - start < PROMPT
    back = time.monotonic() - start
    after = together([asks(wired, alice.access)] * 12)

    figure(
        slowest_503=f"{max(answer.seconds for answer in down):.2f} s",
        back_after=f"{back:.2f} s",
        health=f"{max(answer.seconds for answer in health) * 1000:.0f} ms",
        requests=len(down),
    )
    for answer in [*down, test]:
        assert (answer.status, answer.headers["Content-Type"]) == (503, PROBLEM), answer.content
        assert answer.json()["status"] == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.seconds < PROMPT
    assert {answer.status for answer in health} == {200}
    assert {answer.status for answer in after} == {200}
    assert wired.worker_pids() == workers


def asks(application: Application, token: str) -> Callable[[], Answer]:
    return lambda: Caller(application.port, token).call("GET", "/messages")


def together(calls: list[Callable[[], Answer]]) -> list[Answer]:
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda call=call: answers.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(calls)
    return answers


class Load:
    """Clients that read and write, each on a connection that it keeps open, and count what they get."""

    def __init__(self, application: Application, *, kept: bool = True) -> None:
        self.application, self.done = application, threading.Event()
        self.outcomes: Counter[str] = Counter()
        self.lock = threading.Lock()
        cast = people(application, CLIENTS)
        self.threads = [
            threading.Thread(target=self._run, args=(one.access, cast[index - 1].pk), daemon=True)
            for index, one in enumerate(cast)
        ]
        for thread in self.threads:
            thread.start()

    def _run(self, token: str, other: int) -> None:
        number = 0
        while not self.done.is_set():
            # A connection for each: one that is kept open may be closed by the server at any time, which
            # RFC 9112 section 9.5 leaves to the client to try again.
            caller = Caller(self.application.port, token)
            number += 1
            try:
                if number % 4:
                    answer = caller.call("GET", "/messages?limit=5")
                else:
                    answer = caller.call("POST", "/messages", {"recipient_id": other, "content": "Noon?"})
                outcome = str(answer.status)
            except Unanswered as error:
                outcome = str(error)
            caller.close()
            with self.lock:
                self.outcomes[outcome] += 1

    def count(self) -> int:
        return sum(self.outcomes.values())

    def stop(self) -> dict[str, int]:
        self.done.set()
        for thread in self.threads:
            thread.join(timeout=60)
        return {outcome: count for outcome, count in self.outcomes.items() if outcome not in {"200", "201"}}


def test_a_reload_under_load_fails_no_request(application: Application, figure: Any, progress: Any) -> None:
    load = Load(application)
    reloads = 0
    while load.count() < REQUESTS:
        before = application.worker_pids()
        application.process.send_signal(signal.SIGHUP)
        reloads += 1
        deadline = time.monotonic() + 60
        while set(application.worker_pids()) & set(before) and time.monotonic() < deadline:
            time.sleep(0.2)
            progress(f"{load.count()} requests of {REQUESTS}, {reloads} reloads")
        assert len(application.worker_pids()) >= application.workers
        time.sleep(2)
    failed = load.stop()

    figure(requests=load.count(), reloads=reloads, failed=sum(failed.values()))
    assert failed == {}


def test_a_restart_under_load_fails_no_request(
    postgres: PostgreSQL, tmp_path: Path, figure: Any, progress: Any
) -> None:
    """SIGTERM, and a new server on the port that was held open meanwhile, as deploy/systemd does.

    Without that the kernel resets connections that it had taken and gunicorn had not.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as held:
        application = Application(tmp_path / "application", postgres.url(), held=held)
        with serving(application):
            load, restarts = Load(application), 0
            while load.count() < REQUESTS:
                time.sleep(2)
                application.stop()
                application.start()
                restarts += 1
                progress(f"{load.count()} requests of {REQUESTS}, {restarts} restarts")
            failed = load.stop()

    figure(requests=load.count(), restarts=restarts, failed=sum(failed.values()))
    assert failed == {}


def test_a_full_disk_for_logs_stops_nothing(postgres: PostgreSQL, tmp_path: Path, figure: Any) -> None:
    application = Application(tmp_path / "application", postgres.url(), workers=2)
    for name in ("auth", "messages", "reports", "twilio_webhook"):
        (application.folder / "logs" / f"{name}.log").symlink_to("/dev/full")
    with serving(application):
        alice, bob = people(application, 2)
        statuses = Counter(
            Caller(application.port, alice.access)
            .call("POST", "/messages", {"recipient_id": bob.pk, "content": "Noon?"})
            .status
            for _ in range(200)
        )
        listed = Caller(application.port, bob.access).call("GET", "/messages?limit=500").json()

    figure(requests=200, sent=len(listed))
    assert statuses == {201: 200}
    assert len(listed) == 200
