"""What was acknowledged is there, once and in order, whatever is killed meanwhile."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.clients import Poller, Writer, people
from tests.faults.scale import DATABASE_KILLS, MESSAGES, WORKER_KILLS
from tests.faults.servers import Application, PostgreSQL, serving, wait_until
from tests.histories.model import default_name

pytestmark = pytest.mark.faults

WRITERS = 16
#: Seconds that a run may take at most.
LIMIT = 1800
Row = tuple[int, str, int, str]
ROWS = """
SELECT id, conversation_id, sender_id, content FROM messaging_message
WHERE content LIKE 'from % number %' ORDER BY id
"""


class Talk:
    """16 who write to one another, two and two, and one who polls each conversation."""

    def __init__(self, application: Application) -> None:
        self.done, self.read = threading.Event(), threading.Event()
        cast = people(application, WRITERS)
        pairs = list(zip(cast[::2], cast[1::2], strict=True))
        both = [*pairs, *((other, one) for one, other in pairs)]
        self.writers = [Writer(application.port, one, other, self.done) for one, other in both]
        self.pollers = [
            Poller(application.port, one, default_name(one.pk, other.pk), self.read) for one, other in pairs
        ]

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

    def judge(self, rows: list[Row]) -> dict[str, int]:
        """What the database holds, against what the writers were told and the pollers saw."""
        stored = {content: pk for pk, _, _, content in rows}
        told = {f"{w.mark}{n}": note.pk for w in self.writers for n, note in w.acknowledged.items()}
        seen = [pk for poller in self.pollers for pk in poller.seen]
        return {
            "acknowledged": len(told),
            "lost": sum(stored.get(content) != pk for content, pk in told.items()),
            "doubled": len(rows) - len(stored),
            "out_of_order": sum(map(self._disorder, self.pollers, [rows] * len(self.pollers))),
            "seen_twice_by_a_poller": len(seen) - len(set(seen)),
            "missed_by_the_pollers": len({pk for pk, *_ in rows} ^ set(seen)),
            "refused": sum(len(writer.refused) for writer in self.writers),
            "repeated": sum(note.tries > 1 for w in self.writers for note in w.acknowledged.values()),
        }

    def _disorder(self, poller: Poller, rows: list[Row]) -> int:
        """How many messages of its conversation stand behind one that was sent after they had arrived."""
        notes = {note.pk: note for writer in self.writers for note in writer.acknowledged.values()}
        wrong, latest_start = 0, 0.0
        for pk, conversation, _, _ in rows:
            if conversation == poller.conversation and pk in notes:
                wrong += notes[pk].end < latest_start
                latest_start = max(latest_start, notes[pk].start)
        return wrong


#: What is judged, but for what was only counted.
FLAWLESS = dict.fromkeys(
    ["lost", "doubled", "out_of_order", "seen_twice_by_a_poller", "missed_by_the_pollers", "refused"], 0
)


def suffer(
    talk: Talk,
    strike: Callable[[], bool],
    kills: int,
    progress: Callable[[str], None],
) -> int:
    """Strikes at random moments all along the run, until enough is acknowledged; returns how often."""
    struck, deadline = 0, time.monotonic() + LIMIT
    moments = sorted(random.sample(range(MESSAGES), kills))
    while (struck < kills or talk.count() < MESSAGES) and time.monotonic() < deadline:
        if struck < kills and talk.count() >= moments[struck]:
            struck += strike()
        time.sleep(random.uniform(0.05, 0.3))
        progress(f"{struck} kills of {kills}, {talk.count():,} messages acknowledged of {MESSAGES:,}")
    return struck


def kill_a_worker(application: Application) -> bool:
    """False where there was none just then."""
    with suppress(ProcessLookupError):
        if pids := application.worker_pids():
            os.kill(random.choice(pids), signal.SIGKILL)
            return True
    return False


@pytest.fixture
def running(postgres: PostgreSQL, tmp_path: Path) -> Iterator[Application]:
    with serving(Application(tmp_path / "application", postgres.url())) as application:
        yield application


def stored_in(postgres: PostgreSQL, talk: Talk) -> list[Row]:
    mine = {writer.sender.pk for writer in talk.writers}
    with psycopg.connect(postgres.url()) as connection:
        return [row for row in connection.execute(ROWS).fetchall() if row[2] in mine]


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
    def kill_and_start() -> bool:
        postgres.kill()
        postgres.start()
        return True

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
    locked, unavailable = log.count("database is locked"), log.count("The database does not answer")
    figure(workers_killed=kills, **judged, database_is_locked=locked, unavailable=unavailable)
    assert (kills, {name: judged[name] for name in FLAWLESS}) == (WORKER_KILLS, FLAWLESS)
    assert judged["acknowledged"] >= MESSAGES
    assert (locked, unavailable) == (0, 0)
