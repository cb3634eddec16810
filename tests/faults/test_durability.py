"""What was acknowledged is there, once and in order, whatever is killed meanwhile."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.clients import Person, Poller, Writer, people
from tests.faults.servers import Application, PostgreSQL, serving, wait_until
from tests.histories.model import default_name

pytestmark = pytest.mark.faults

WRITERS = 16
MESSAGES = int(os.environ.get("FAULT_MESSAGES", "20000"))
WORKER_KILLS = int(os.environ.get("FAULT_WORKER_KILLS", "50"))
DATABASE_KILLS = int(os.environ.get("FAULT_DATABASE_KILLS", "20"))
#: Seconds that a run may take at most.
LIMIT = 900
ROWS = "SELECT id, sender_id, content FROM messaging_message WHERE content LIKE 'from % number %' ORDER BY id"


class Talk:
    """16 who write to one another, two and two, and one who polls each conversation."""

    def __init__(self, application: Application) -> None:
        self.done, self.read = threading.Event(), threading.Event()
        cast = people(application, WRITERS)
        pairs = list(zip(cast[::2], cast[1::2], strict=True))
        both = [*pairs, *((other, one) for one, other in pairs)]
        self.writers = [Writer(application.port, one, other, self.done) for one, other in both]
        self.pollers = [self._poller(application, one, other) for one, other in pairs]

    def _poller(self, application: Application, one: Person, other: Person) -> Poller:
        return Poller(application.port, one, default_name(one.pk, other.pk), self.read)

    def start(self) -> None:
        for writer in self.writers:
            writer.start()
        # A conversation is there from its first message on.
        wait_until(lambda: all(writer.acknowledged for writer in self.writers), 60, "first messages")
        for poller in self.pollers:
            poller.start()

    def count(self) -> int:
        return sum(len(writer.acknowledged) for writer in self.writers)

    def stop(self) -> None:
        """The writers first, so that the pollers have seen the last word when they stop."""
        for event, threads in ((self.done, self.writers), (self.read, self.pollers)):
            event.set()
            for thread in threads:
                thread.join(timeout=120)
                assert not thread.is_alive()

    def judge(self, rows: list[tuple[int, int, str]]) -> dict[str, int]:
        """What the database holds, against what the writers were told and the pollers saw."""
        stored = {content: pk for pk, _, content in rows}
        told = {f"{w.mark}{n}": pk for w in self.writers for n, pk in w.acknowledged.items()}
        lost = [content for content, pk in told.items() if stored.get(content) != pk]
        pks = [list(writer.acknowledged.values()) for writer in self.writers]
        disordered = [told for told in pks if told != sorted(told)]
        seen = [pk for poller in self.pollers for pk in poller.seen]
        return {
            "acknowledged": len(told),
            "lost": len(lost),
            "doubled": len(rows) - len(stored),
            "writers out of order": len(disordered),
            "seen twice by a poller": len(seen) - len(set(seen)),
            "missed by the pollers": len({pk for pk, _, _ in rows} - set(seen)),
            "refused": sum(len(writer.refused) for writer in self.writers),
        }


FLAWLESS = {
    "lost": 0,
    "doubled": 0,
    "writers out of order": 0,
    "seen twice by a poller": 0,
    "missed by the pollers": 0,
    "refused": 0,
}


def suffer(
    talk: Talk,
    strike: Callable[[], None],
    kills: int,
    progress: Callable[[str], None],
) -> int:
    """Strikes at random times while the writers go on; returns how often."""
    struck, deadline = 0, time.monotonic() + LIMIT
    while (struck < kills or talk.count() < MESSAGES) and time.monotonic() < deadline:
        time.sleep(random.uniform(0.3, 1.5))
        if struck < kills:
            strike()
            struck += 1
        progress(f"{talk.count()} messages of {MESSAGES}, {struck} kills of {kills}")
    return struck


def kill_a_worker(application: Application) -> None:
    if pids := application.worker_pids():
        os.kill(random.choice(pids), signal.SIGKILL)


@pytest.fixture
def running(postgres: PostgreSQL, tmp_path: Path) -> Iterator[Application]:
    with serving(Application(tmp_path / "application", postgres.url())) as application:
        yield application


def stored_in(postgres: PostgreSQL, talk: Talk) -> list[tuple[int, int, str]]:
    mine = [writer.sender.pk for writer in talk.writers]
    with psycopg.connect(postgres.url()) as connection:
        rows = connection.execute(ROWS).fetchall()
    return [(pk, sender, content) for pk, sender, content in rows if sender in mine]


def test_killed_workers_lose_nothing(
    running: Application, postgres: PostgreSQL, figure: Any, progress: Any
) -> None:
    talk = Talk(running)
    talk.start()
    kills = suffer(talk, lambda: kill_a_worker(running), WORKER_KILLS, progress)
    talk.stop()

    judged = talk.judge(stored_in(postgres, talk))
    figure(workers_killed=kills, **judged)
    assert (kills, {name: judged[name] for name in FLAWLESS}) == (WORKER_KILLS, FLAWLESS)
    assert judged["acknowledged"] >= MESSAGES


def test_a_killed_database_loses_nothing(
    running: Application, postgres: PostgreSQL, figure: Any, progress: Any
) -> None:
    def kill_and_start() -> None:
        postgres.kill()
        postgres.start()
        time.sleep(random.uniform(0.5, 1.5))

    talk = Talk(running)
    before = running.worker_pids()
    talk.start()
    kills = suffer(talk, kill_and_start, DATABASE_KILLS, progress)
    talk.stop()

    judged = talk.judge(stored_in(postgres, talk))
    figure(database_killed=kills, **judged)
    assert (kills, {name: judged[name] for name in FLAWLESS}) == (DATABASE_KILLS, FLAWLESS)
    assert judged["acknowledged"] >= MESSAGES
    assert running.worker_pids() == before


def test_killed_workers_lose_nothing_on_sqlite(tmp_path: Path, figure: Any, progress: Any) -> None:
    file = tmp_path / "talk.sqlite3"
    with serving(Application(tmp_path / "application", f"sqlite:///{file}")) as running:
        talk = Talk(running)
        talk.start()
        kills = suffer(talk, lambda: kill_a_worker(running), WORKER_KILLS, progress)
        talk.stop()
        log = running.log()
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute(ROWS).fetchall()

    judged = talk.judge(rows)
    locked = log.count("database is locked")
    figure(workers_killed=kills, **judged, database_is_locked=locked)
    assert (kills, {name: judged[name] for name in FLAWLESS}) == (WORKER_KILLS, FLAWLESS)
    assert judged["acknowledged"] >= MESSAGES
    assert locked == 0
