"""Lists of a standby: stale, or made not so."""

import argparse
import random
import threading
import time
from statistics import median
from typing import Any

import psycopg

from tools.benchmarks.scaling.statements import COLUMNS, PAGE, Connection

SESSION = (
    "SELECT s.id, s.user_id, u.is_active{more} FROM accounts_session s JOIN accounts_user u"
    " ON u.id = s.user_id"
    " WHERE s.user_id = %s AND s.is_active AND u.is_active LIMIT 1"
)
WITH_POSITION = SESSION.format(more=", pg_current_wal_flush_lsn()")
INSERT = (
    "INSERT INTO messaging_message (created_at, updated_at, sender_id, recipient_id, conversation_id,"
    " content, is_read, deleted_by_recipient) VALUES (now(), now(), %s, %s, %s, 'Shall we meet at noon?',"
    " false, false) RETURNING id"
)


class Writers:
    """Threads that send; `acknowledged` has the newest message that each recipient was promised."""

    def __init__(self, url: str, pairs: list[tuple[int, int, str]], *, pause: float, commit: str) -> None:
        self.url, self.pairs, self.pause, self.commit = url, pairs, pause, commit
        self.acknowledged: dict[int, int] = {}
        self.times: list[float] = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._write, args=[pair]) for pair in pairs]

    def __enter__(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _write(self, pair: tuple[int, int, str]) -> None:
        low, high, conversation = pair
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"SET synchronous_commit = {self.commit}")
            while not self.stop.wait(self.pause):
                start = time.perf_counter()
                with connection.transaction():
                    connection.execute(
                        "SELECT id FROM messaging_conversation WHERE id = %s FOR UPDATE", [conversation]
                    )
                    made = connection.execute(INSERT, [low, high, conversation]).fetchone()
                    pk = made[0] if made else 0
                    connection.execute(
                        "UPDATE messaging_participant SET last_message_id = %s WHERE conversation_id = %s",
                        [pk, conversation],
                    )
                self.times.append(1000 * (time.perf_counter() - start))
                self.acknowledged[high] = pk


def replica(options: argparse.Namespace) -> None:
    with psycopg.connect(options.primary) as connection:
        pairs = connection.execute(
            "SELECT split_part(id, '_', 2)::int, split_part(id, '_', 3)::int, id FROM messaging_conversation"
            " WHERE id LIKE 'conv\\_%%' ORDER BY md5(id) LIMIT %s",
            [options.writers],
        ).fetchall()
    print(f"{'reads':<22}{'sent/s':>8}{'send ms':>9}{'read/s':>8}{'stale':>7}{'late %':>8}"
          f"{'wait p50':>9}{'p99 ms':>8}{'primary %':>10}")  # fmt: skip
    for pause in (0.02, 0.0):
        for way in ("replica alone", "replica with position"):
            with Writers(options.primary, pairs, pause=pause, commit=options.commit) as writers:
                time.sleep(0.5)
                found = _read(options, writers, checked=way != "replica alone")
            waits = sorted(found["waits"]) or [0.0]
            print(
                f"{way:<22}{len(writers.times) / (options.seconds + 0.5):>8.0f}{median(writers.times):>9.2f}"
                f"{found['reads'] / options.seconds:>8.0f}{found['stale']:>7}"
                f"{100 * found['late'] / found['reads']:>8.1f}{median(waits):>9.2f}"
                f"{waits[int(0.99 * (len(waits) - 1))]:>8.2f}{100 * found['fell'] / found['reads']:>10.2f}"
            )


def _read(options: argparse.Namespace, writers: Writers, *, checked: bool) -> dict[str, Any]:
    """One reader asks for the lists of those who are written to, just after they were."""
    found: dict[str, Any] = {"reads": 0, "stale": 0, "late": 0, "fell": 0, "waits": []}
    page = PAGE.format(columns=COLUMNS, table="messaging_message")
    end = time.monotonic() + options.seconds
    with (
        psycopg.connect(options.primary, autocommit=True) as primary,
        psycopg.connect(options.replica, autocommit=True) as standby,
    ):
        while time.monotonic() < end:
            user = random.choice(list(writers.acknowledged))  # noqa: S311
            promised = writers.acknowledged[user]
            row = primary.execute(WITH_POSITION, [user]).fetchone()
            chosen = standby
            if checked and row is not None:
                waited = _wait_for(standby, row[3], options.patience)
                found["late"] += waited is None or waited > 0
                if waited is None:
                    chosen = primary
                    found["fell"] += 1
                else:
                    found["waits"].append(waited)
            newest = chosen.execute(page, {"user": user}).fetchall()[0][0]
            found["reads"] += 1
            found["stale"] += newest < promised
    return found


def _wait_for(standby: Connection, position: str, patience: float) -> float | None:
    """Milliseconds until `standby` has replayed `position`; None where it takes longer than `patience`.

    A statement of its own: the list's snapshot has to be taken after it.
    """
    start = time.perf_counter()
    first = True
    while True:
        row = standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [position]).fetchone()
        waited = 1000 * (time.perf_counter() - start)
        if row and row[0]:
            return 0.0 if first else waited
        if waited > patience:
            return None
        first = False
        time.sleep(0.0005)
