"""Bytes of disk and of WAL that a message takes."""

import argparse
import os
import random
import time

import psycopg

from tools.benchmarks.scaling.statements import Connection


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
    from aimessage.db.counting import count_request
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
