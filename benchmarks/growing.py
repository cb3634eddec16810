"""What docs/scaling.md says of poolers, replicas, partitions and disk space, measured.

    python -m benchmarks.growing pooler DIRECT POOLED      the application past PgBouncer and through it
    python -m benchmarks.growing replica PRIMARY REPLICA   lists of a standby: stale, or made not so
    python -m benchmarks.growing partitions URL            the hot queries over three layouts of the messages
    python -m benchmarks.growing storage URL               bytes of disk and of WAL that a message takes

Each URL leads to a database that benchmarks/loading.py filled, on a server that nothing else uses. All of
them write to it: use one that can be thrown away. Runs last seconds.
"""

import argparse
import os
import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks import load
from benchmarks.load import Request
from benchmarks.processes import cpu_seconds
from benchmarks.servers import ROOT, Application, stopping

Connection = psycopg.Connection[Any]

# --- The pooler --------------------------------------------------------------------------------

#: As gunicorn.conf.py has it: 2 workers with 16 threads.
CONNECTIONS = 32


def pooler(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    pids = {"postgresql": options.postmaster, "pgbouncer": options.pgbouncer}
    with psycopg.connect(options.direct, autocommit=True) as watcher, stopping([]) as servers:
        ways = {}
        for number, (name, url) in enumerate({"past": options.direct, "through": options.pooled}.items()):
            app = Application(ROOT, url, folder / name)
            (folder / name).mkdir(parents=True, exist_ok=True)
            os.environ["BENCH_APP_AI_MESSAGE_DATABASE_POOLER"] = str(int(name == "through"))
            servers.append(app.serve(name, options.port + number))
            ways[name] = (servers[-1], app)
        tokens = ways["past"][1].mint_tokens(200)
        print(f"{'case':<10}{'way':<9}{'req/s':>8}{'p50 ms':>8}{'p99 ms':>8}"
              f"{'app µs':>8}{'pg µs':>8}{'bouncer':>8}{'backends':>9}")  # fmt: skip
        for case, requests in _mixes(tokens).items():
            for _ in range(options.pairs):
                for name, (server, _app) in ways.items():
                    every = {"app": server.process.pid, **pids}
                    before = {who: cpu_seconds(pid) for who, pid in every.items()}
                    running = load.Load(
                        server.url, requests, connections=CONNECTIONS, seconds=options.seconds
                    )
                    time.sleep(options.seconds / 2)
                    backends = watcher.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                        " AND state_change > now() - interval '1 second'"
                    ).fetchone()
                    outcome = running.wait()
                    if outcome.errors:
                        raise load.LoadError(f"{outcome.errors} errors")
                    used = {
                        who: 1e6 * (cpu_seconds(pid) - before[who]) / outcome.requests
                        for who, pid in every.items()
                    }
                    print(
                        f"{case:<10}{name:<9}{outcome.rate:>8.0f}{outcome.p50:>8.1f}{outcome.p99:>8.1f}"
                        f"{used['app']:>8.0f}{used['postgresql']:>8.0f}{used['pgbouncer']:>8.0f}"
                        f"{backends[0] if backends else 0:>9}"
                    )


def _mixes(tokens: dict[int, str]) -> dict[str, list[Request]]:
    people = [(user, {"Authorization": f"Bearer {token}"}) for user, token in tokens.items()]
    json = {"Content-Type": "application/json"}
    sends = [
        Request(
            "/messages", "POST", head | json, f'{{"recipient_id": {user % 9000 + 7}, "content": "n {{n}}"}}'
        )
        for user, head in people
        if user % 9000 + 7 != user
    ]
    return {
        "me": [Request("/auth/me", headers=head) for _, head in people],
        "messages": [Request("/messages", headers=head) for _, head in people],
        "send": sends,
    }


# --- The replica -------------------------------------------------------------------------------

SESSION = (
    "SELECT s.id, s.user_id, u.is_active{more} FROM accounts_session s JOIN accounts_user u"
    " ON u.id = s.user_id"
    " WHERE s.user_id = %s AND s.is_active AND u.is_active LIMIT 1"
)
WITH_POSITION = SESSION.format(more=", pg_current_wal_flush_lsn()")
PAGE = (
    "SELECT * FROM ((SELECT {columns} FROM {table} WHERE sender_id = %(user)s ORDER BY id DESC LIMIT 100)"
    " UNION ALL (SELECT {columns} FROM {table} WHERE recipient_id = %(user)s AND NOT deleted_by_recipient"
    " ORDER BY id DESC LIMIT 100)) page ORDER BY id DESC LIMIT 100"
)
COLUMNS = "id, sender_id, recipient_id, content, is_read, parent_id, conversation_id, created_at, updated_at"
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


# --- Partitions --------------------------------------------------------------------------------

#: Name: how it is divided, its primary key, and which of the unique keys it can have.
LAYOUTS = {
    "messaging_message": "",
    "by_id": "RANGE (id)",
    "by_conversation": "HASH (conversation_id)",
}
INDEXES = [
    "(sender_id, id)",
    "(recipient_id, id)",
    "(conversation_id, id)",
    "(recipient_id, conversation_id) WHERE NOT is_read AND NOT deleted_by_recipient",
    "(parent_id)",
]
PARTS = 16


def _lay_out(connection: Connection, table: str, division: str) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(
        f"CREATE TABLE {table} (LIKE messaging_message INCLUDING DEFAULTS) PARTITION BY {division}"
    )
    (newest,) = connection.execute("SELECT max(id) FROM messaging_message").fetchone() or (0,)
    step = newest // PARTS + 1
    for part in range(PARTS):
        bounds = f"FROM ({part * step}) TO ({(part + 1) * step})"
        if division.startswith("HASH"):
            bounds = f"WITH (MODULUS {PARTS}, REMAINDER {part})"
        connection.execute(f"CREATE TABLE {table}_{part} PARTITION OF {table} FOR VALUES {bounds}")
    connection.execute(f"INSERT INTO {table} SELECT * FROM messaging_message")  # noqa: S608  a name of ours
    key = "(id)" if division.startswith("RANGE") else "(conversation_id, id)"
    connection.execute(f"ALTER TABLE {table} ADD PRIMARY KEY {key}")
    for columns in INDEXES:
        connection.execute(f"CREATE INDEX ON {table} {columns}")
    connection.execute(f"VACUUM ANALYZE {table}")


def _questions(connection: Connection) -> dict[str, tuple[str, dict[str, Any]]]:
    """The hot queries, as the application sends them but for what they show."""
    row = connection.execute(
        "SELECT id, recipient_id, conversation_id FROM messaging_message WHERE recipient_id = 2"
        " ORDER BY id DESC LIMIT 1"
    ).fetchone()
    pk, user, conversation = row or (0, 0, "")
    (deep,) = connection.execute(
        "SELECT id FROM messaging_message WHERE sender_id = 1 ORDER BY id DESC OFFSET 50000 LIMIT 1"
    ).fetchone() or (0,)
    older = PAGE.replace("_id = %(user)s", "_id = %(user)s AND id < %(before)s")
    mine = "(recipient_id = %(user)s OR sender_id = %(user)s)"
    talks = (
        "SELECT p.conversation_id, m.id, left(m.content, 100), m.created_at FROM messaging_participant p"
        " JOIN {table} m ON m.id = p.last_message_id{both} WHERE p.user_id = %(user)s"
        " ORDER BY p.last_message_id DESC LIMIT 20"
    )
    both = " AND m.conversation_id = p.conversation_id"
    one = "SELECT {columns} FROM {table} WHERE id = %(id)s"
    thread = "SELECT {columns} FROM {table} WHERE conversation_id = %(conversation)s"
    values = {"user": user, "conversation": conversation, "id": pk, "before": deep}
    return {
        "GET /messages": (PAGE, values),
        "the same, user with most": (PAGE, values | {"user": 1}),
        "the same, 50,000 deep": (older, values | {"user": 1}),
        "GET conversation messages": (f"{thread} AND {mine} ORDER BY id DESC LIMIT 100", values),
        "GET /messages/{id}": (f"{one} AND {mine}", values),
        "the same, conversation known": (f"{one} AND conversation_id = %(conversation)s AND {mine}", values),
        "unread count": (
            "SELECT count(*) FROM {table} WHERE recipient_id = %(user)s AND NOT is_read"
            " AND NOT deleted_by_recipient",
            values,
        ),
        "conversations": (talks.replace("{both}", ""), values),
        "the same, joined by both": (talks.replace("{both}", both), values),
    }


def partitions(options: argparse.Namespace) -> None:
    with psycopg.connect(options.url, autocommit=True) as connection:
        for table, division in LAYOUTS.items():
            if division and not options.keep:
                start = time.monotonic()
                _lay_out(connection, table, division)
                print(f"{table}: {PARTS} partitions by {division}, made in {time.monotonic() - start:.0f} s")
        print(f"{'query':<30}{'layout':<19}{'plan ms':>9}{'run ms':>8}{'buffers':>9}{'parts':>7}")
        for name, (question, values) in _questions(connection).items():
            for table in LAYOUTS:
                sql = question.format(table=table, columns=COLUMNS)
                runs = [_explain(connection, sql, values) for _ in range(9)]
                plan, run = (median(one[column] for one in runs) for column in (0, 1))
                print(f"{name:<30}{table:<19}{plan:>9.2f}{run:>8.2f}{runs[-1][2]:>9}{runs[-1][3]:>7}")


def _explain(connection: Connection, sql: str, values: dict[str, Any]) -> tuple[float, float, int, int]:
    """Milliseconds of planning and running, pages looked at, and partitions that were walked."""
    rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {sql}", values).fetchall()
    lines = [line for (line,) in rows]
    text = "\n".join(lines)
    ran = [line for line in lines if "never executed" not in line]
    # A bitmap's index is no second partition.
    parts = {part for line in ran for part in re.findall(r" on (by_\w+_\d+)\b", line)}
    buffers = re.search(r"Buffers: (.*)", text)
    pages = sum(int(n) for n in re.findall(r"(?:hit|read)=(\d+)", buffers[1])) if buffers else 0
    times = [float(re.findall(rf"{what} Time: ([\d.]+)", text)[0]) for what in ("Planning", "Execution")]
    return times[0], times[1], pages, len(parts)


# --- Storage -----------------------------------------------------------------------------------


def storage(options: argparse.Namespace) -> None:
    with psycopg.connect(options.url, autocommit=True) as connection:
        sizes = _sizes(connection)
        for name, (count, size, indexes) in sizes.items():
            print(
                f"{name:<26}{count:>10,} rows of {size / count:>4.0f} bytes, {indexes / count:.0f} in indexes"
            )
        for number, what in enumerate(("after a checkpoint", "pages written before")):
            if not number:
                connection.execute("CHECKPOINT")
            before, wal = _sizes(connection), _wal(connection)
            elapsed = _send(options.url, options.messages)
            time.sleep(0.5)
            after, grown = _sizes(connection), [b - a for a, b in zip(wal, _wal(connection), strict=True)]
            disk = sum(after[name][1] - before[name][1] for name in before)
            records, pages, written, disk = (value / options.messages for value in (*grown, disk))
            print(
                f"{what}: {options.messages} sent in {elapsed:.0f} s; a message: {written:.0f} bytes of WAL"
            )
            print(f"    in {records:.0f} records, {pages:.2f} whole pages; {disk:.0f} bytes of disk")


def _sizes(connection: Connection) -> dict[str, tuple[int, int, int]]:
    rows = connection.execute(
        "SELECT relname, greatest(reltuples, 1)::bigint, pg_total_relation_size(oid), pg_indexes_size(oid)"
        " FROM pg_class WHERE relkind = 'r' AND relname IN ('messaging_message', 'messaging_participant',"
        " 'messaging_conversation', 'accounts_user', 'accounts_session', 'aimessage_throttlewindow')"
    ).fetchall()
    return {name: (count, size, indexes) for name, count, size, indexes in rows}


def _wal(connection: Connection) -> tuple[int, int, int]:
    row = connection.execute("SELECT wal_records, wal_fpi, wal_bytes::bigint FROM pg_stat_wal").fetchone()
    return row or (0, 0, 0)


def _send(url: str, number: int) -> float:
    """Sends so many, as POST /messages does, each in a standing conversation taken at random."""
    import django
    import django.db

    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "aimessage.settings"}
    django.setup()
    from accounts.models import User
    from aimessage.counting import count_request
    from messaging.models import Participant
    from messaging.services.messages import send_message

    chance = random.Random(number)  # noqa: S311
    pairs = list(Participant.objects.order_by("?").values_list("conversation", flat=True)[:number])
    words = [
        "I",
        "you",
        "the",
        "to",
        "a",
        "and",
        "that",
        "is",
        "of",
        "in",
        "we",
        "me",
        "so",
        "for",
        "do",
        "have",
        "be",
        "not",
        "on",
        "my",
        "are",
        "this",
        "no",
        "with",
        "what",
    ]
    start = time.monotonic()
    for conversation in pairs:
        _, low, high = conversation.split("_")
        one, other = chance.sample([int(low), int(high)], 2)
        count_request(f"send:{one}", seconds=60)
        content = " ".join(chance.choices(words, k=14))
        send_message(User(pk=one), content=content, recipient_id=other)
    elapsed = time.monotonic() - start
    # Which hands in what it has counted of the log.
    django.db.connections.close_all()
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)

    def command(run: Callable[[argparse.Namespace], None], *urls: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(run.__name__)
        sub.set_defaults(run=run)
        for url in urls:
            sub.add_argument(url)
        return sub

    through = command(pooler, "direct", "pooled")
    through.add_argument("--postmaster", type=int, required=True, help="process id, for its CPU time")
    through.add_argument("--pgbouncer", type=int, required=True, help="the same")
    through.add_argument("--folder", default="/tmp/growing", help="for logs")  # noqa: S108
    through.add_argument("--port", type=int, default=8230)
    through.add_argument("--pairs", type=int, default=3)
    through.add_argument("--seconds", type=int, default=3)
    standby = command(replica, "primary", "replica")
    standby.add_argument("--commit", default="on", help="synchronous_commit of those who write")
    standby.add_argument("--writers", type=int, default=4)
    standby.add_argument("--patience", type=float, default=50, help="milliseconds, then the primary answers")
    standby.add_argument("--seconds", type=float, default=4)
    command(partitions, "url").add_argument("--keep", action="store_true", help="the layouts are there")
    command(storage, "url").add_argument("--messages", type=int, default=3000)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
