"""What clients see while PostgreSQL is stopped, frozen or cut off, the disk is full, the server restarts."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aimessage.server.logs import FILES
from tests.factories import PASSWORD
from tests.faults.clients import Answer, Caller, Person, Unanswered, people
from tests.faults.scale import OUTAGES, PROMPT, REQUESTS, REST, RESTARTS
from tests.faults.servers import Application, PostgreSQL, Wire, serving

pytestmark = pytest.mark.faults

CLIENTS = 8
#: At once, where two workers have 16 threads each.
CROWD = 100
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
    kind: Any, wired: Application, postgres: PostgreSQL, wire: Wire, figure: Any, progress: Any
) -> None:
    begin, end = kind(postgres, wire)
    alice, bob = people(wired, 2)
    workers = wired.worker_pids()
    down: list[Answer] = []
    health: list[Answer] = []
    backs: list[float] = []
    for _ in range(OUTAGES):
        # Every thread of every worker gets a connection, which the outage then makes useless.
        together([lambda: Caller(wired.port, alice.access).call("GET", "/auth/me")] * 16)

        begin()
        try:
            # Twice, since the first meets connections that were good, and the second opens new ones.
            for _ in range(2):
                down += together(requests_of(wired.port, alice, bob))
            # And more than there are threads, of whom nobody is to wait for one after the other.
            down += together([lambda: Caller(wired.port, alice.access).call("GET", "/messages")] * CROWD)
            health += [Caller(wired.port).call("GET", "/health") for _ in range(5)]
            test = Caller(wired.port).call("GET", "/db-test")
        finally:
            end()
        # Back for all, on every worker.
        start, again = time.monotonic(), {0}
        while again != {200}:
            assert time.monotonic() - start < PROMPT
            calls = [lambda: Caller(wired.port, alice.access).call("GET", "/messages")] * 16
            again = {answer.status for answer in together(calls)}
        backs.append(time.monotonic() - start)

        for answer in [*down, test]:
            assert (answer.status, answer.headers["Content-Type"]) == (503, PROBLEM), answer.content
            assert answer.json()["status"] == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert {answer.status for answer in health} == {200}
        assert wired.worker_pids() == workers
        progress(f"outage {len(backs)} of {OUTAGES}, {len(down)} requests")

    slowest = max(answer.seconds for answer in down)
    figure(
        outages=OUTAGES,
        requests=len(down),
        slowest_503=f"{slowest:.2f} s",
        back_after=f"{max(backs):.2f} s",
        slowest_health=f"{max(answer.seconds for answer in health) * 1000:.0f} ms",
    )
    assert slowest < PROMPT


def requests_of(port: int, alice: Person, bob: Person) -> list[Callable[[], Answer]]:
    """Readers and writers, with a token and without, each on a connection of its own."""
    text = {"recipient_id": bob.pk, "content": "Noon?"}
    login = {"username": alice.username, "password": PASSWORD}
    fresh = {"username": "dora", "email": "dora@example.org", "password": "crimson-anvil-7351"}

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Callable[[], Answer]:
        return lambda: Caller(port, alice.access).call(method, path, body, **headers)

    return [
        ask("GET", "/messages"),
        ask("GET", "/messages?search=noon"),
        ask("GET", "/messages/unread/count"),
        ask("GET", "/auth/conversations"),
        ask("GET", "/auth/me"),
        ask("GET", "/auth/sessions"),
        ask("GET", "/reports"),
        ask("POST", "/messages", text),
        ask("POST", "/messages", text, idempotency_key="outage"),
        ask("PUT", "/messages/read-all"),
        ask("PATCH", "/auth/me", {"bio": "Out."}),
        ask("POST", "/auth/login", login),
        ask("POST", "/auth/register", fresh),
        ask("POST", "/auth/refresh", {"refresh_token": alice.refresh}),
    ]


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
            time.sleep(REST)

    def count(self) -> int:
        return sum(self.outcomes.values())

    def wait_for(self, share: int) -> None:
        """Until so many shares of the requests are done, one for each restart and one more."""
        deadline = time.monotonic() + 600
        while self.count() < min(REQUESTS, REQUESTS * (share + 1) // (RESTARTS + 1)):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def stop(self) -> dict[str, int]:
        self.done.set()
        for thread in self.threads:
            thread.join(timeout=60)
        return {outcome: count for outcome, count in self.outcomes.items() if outcome not in {"200", "201"}}


def test_a_reload_under_load_fails_no_request(application: Application, figure: Any, progress: Any) -> None:
    load = Load(application)
    reloads = 0
    while load.count() < REQUESTS or reloads < RESTARTS:
        load.wait_for(share=reloads)
        before = application.worker_pids()
        application.process.send_signal(signal.SIGHUP)
        reloads += 1
        deadline = time.monotonic() + 60
        while set(application.worker_pids()) & set(before):
            assert time.monotonic() < deadline
            time.sleep(0.2)
            progress(f"{load.count():,} requests of {REQUESTS:,}, {reloads} reloads")
        assert len(application.worker_pids()) >= application.workers
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
            while load.count() < REQUESTS or restarts < RESTARTS:
                load.wait_for(share=restarts)
                application.stop()
                application.start()
                restarts += 1
                progress(f"{load.count():,} requests of {REQUESTS:,}, {restarts} restarts")
            failed = load.stop()

    figure(requests=load.count(), restarts=restarts, failed=sum(failed.values()))
    assert failed == {}


def send(application: Application, sender: Person, recipient: Person, count: int) -> Counter[int]:
    body = {"recipient_id": recipient.pk, "content": "Noon?"}
    caller = Caller(application.port, sender.access)
    return Counter(caller.call("POST", "/messages", body).status for _ in range(count))


def test_logs_that_cannot_be_written_stop_nothing(postgres: PostgreSQL, tmp_path: Path, figure: Any) -> None:
    """Every file, and standard output and error, are a device that is full."""
    application = Application(tmp_path / "application", postgres.url(), workers=2)
    for path in [*(application.folder / "logs" / f"{name}.log" for name in FILES), application.output]:
        path.symlink_to("/dev/full")
    with serving(application):
        alice, bob = people(application, 2)
        statuses = send(application, alice, bob, 200)
        listed = Caller(application.port, bob.access).call("GET", "/messages?limit=500").json()

    figure(requests=200, sent=len(listed))
    assert statuses == {201: 200}
    assert len(listed) == 200


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.getuid() != 0:
        pytest.skip("only root may mount a file system; the test before this one does without")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=1777", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_fills_up_stops_nothing_and_logs_go_on_when_there_is_room(
    postgres: PostgreSQL, disk: Path, tmp_path: Path, figure: Any
) -> None:
    application = Application(
        tmp_path / "application", postgres.url(), workers=2, settings={"AI_MESSAGE_LOGS_FOLDER": str(disk)}
    )
    log, filler = disk / "messages.log", disk / "filler"

    def lines() -> int:
        return log.read_bytes().count(b"sent: message=")

    with serving(application):
        alice, bob = people(application, 2)
        before = send(application, alice, bob, 50)
        logged = lines()
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(512))
        start = time.monotonic()
        during = send(application, alice, bob, 200)
        seconds = time.monotonic() - start
        unlogged = 200 - (lines() - logged)
        filler.unlink()
        resumed_from = lines()
        after = send(application, alice, bob, 50)
        resumed = lines() - resumed_from

    figure(
        sent_on_a_full_disk=during[201], each=f"{seconds * 5:.0f} ms", unlogged=unlogged, logged_after=resumed
    )
    assert (before, during, after) == ({201: 50}, {201: 200}, {201: 50})
    # The disk was full, which is what this is about; and then it was not.
    assert unlogged > 100
    assert logged == 50
    assert resumed >= 50
