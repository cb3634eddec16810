"""The hot queries over three layouts of the messages."""

import argparse
import re
import time
from statistics import median
from typing import Any

import psycopg

from tools.benchmarks.scaling.statements import COLUMNS, PAGE, Connection

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
