"""Writing the log, and its retention."""

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from aimessage.db.compiled import execute
from aimessage.db.ids import first_id
from aimessage.events import reading
from aimessage.events.kinds import KINDS
from aimessage.events.models import Consumer, Event
from aimessage.events.wake import publish, write_news
from aimessage.server.metrics import EVENTS_WRITTEN, count

#: Events that one step of the retention deletes.
BATCH = 5000
#: Rows that one INSERT writes.
ROWS = 500
#: After so long an event that is not kept, such as that somebody types, is no news any more.
NEWS = timedelta(minutes=1)
#: A consumer that is this far behind keeps events from being deleted for no good reason.
LATE = timedelta(days=1)

COLUMNS = ("user_id", "kind", "conversation_id", "message_id", "data", "leads", "created_at")
INSERT = f"INSERT INTO events_event ({', '.join(COLUMNS)}) VALUES "  # noqa: S608  names of ours alone
PLACEHOLDERS = f"({', '.join(['%s'] * len(COLUMNS))})"

logger = logging.getLogger("aimessage")


class Entry(NamedTuple):
    """An event to be written: for each of `users`, or, without any, for webhooks alone."""

    kind: str
    users: Collection[int | None] = ()
    conversation_id: str | None = None
    message_id: int | None = None
    data: Any = None


def record(kind: str, users: Collection[int | None] = (), **values: Any) -> None:
    """Writes one event; `values` are an Entry's.

    Call it as the last statement of the transaction that makes the change: readers get the events of a
    conversation in the order of their ids, which the locks of the rows put in the order of the changes.
    """
    record_all([Entry(kind, users, **values)])


def record_all(entries: Iterable[Entry]) -> None:
    """As `record`, for several events."""
    if not settings.WAKE_URL:
        _write(entries)
        return
    # Those that are not kept travel in what is published, unless nobody takes that.
    passing = {name for name, kind in KINDS.items() if not kind.kept}
    every = list(entries)
    kept = [entry for entry in every if entry.kind not in passing]
    _write(kept)
    for entry in every:
        if entry.kind in passing:
            transaction.on_commit(partial(_spread, entry), robust=True)
    if kept:
        transaction.on_commit(publish, robust=True)


def _spread(entry: Entry) -> None:
    users = {user for user in entry.users if user is not None}
    if not publish(write_news(entry.kind, users, entry.data)):
        _write([entry])


def _write(entries: Iterable[Entry]) -> None:
    """By hand, since every message pays for it."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    rows: list[Sequence[Any]] = []
    for kind, users, conversation_id, message_id, data in entries:
        stored = None if data is None else json.dumps(data)
        receivers: list[int | None] = [*sorted({user for user in users if user is not None})] or [None]
        for number, receiver in enumerate(receivers):
            rows.append((receiver, kind, conversation_id, message_id, stored, number == 0, now))
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        execute(INSERT + ", ".join([PLACEHOLDERS] * len(some)), [value for row in some for value in row])
    count(EVENTS_WRITTEN, len(rows))


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes events older than AI_MESSAGE_EVENTS_DAYS, and after a minute those that are not kept.

    Never one that a consumer has not read. Returns how many.
    """
    now = timezone.now()
    for name in Consumer.objects.filter(updated_at__lt=now - LATE).values_list("name", flat=True):
        logger.warning("events are kept for consumer %s, which has read nothing for a day", name)
    end = first_id(Event, "created_at", now - timedelta(days=settings.EVENTS_DAYS))
    past = connection.ops.adapt_datetimefield_value(now - NEWS)
    condition, params = reading.read_by_all_consumers()
    passing = [name for name, kind in KINDS.items() if not kind.kept]
    news = ", ".join(["%s"] * len(passing)) or "NULL"
    deleted = 0
    # Those that nobody keeps first: they lie among the others, above what is old.
    for old, values in (
        (
            f"id >= %s AND created_at < %s AND kind IN ({news}) AND {condition}",
            [end, past, *passing, *params],
        ),
        (f"id < %s AND {condition}", [end, *params]),
    ):
        deleted += _delete(old, values, dry_run=dry_run)
    return {"events": deleted}


def _delete(old: str, params: list[Any], *, dry_run: bool) -> int:
    rows = f"SELECT id FROM events_event WHERE {old} ORDER BY id"  # noqa: S608  names of ours alone
    deleted = 0
    with connection.cursor() as cursor:
        if dry_run:
            cursor.execute(f"SELECT count(*) FROM ({rows}) AS old", params)  # noqa: S608
            count: int = cursor.fetchone()[0]
            return count
        while True:
            cursor.execute(f"DELETE FROM events_event WHERE id IN ({rows} LIMIT {BATCH})", params)  # noqa: S608
            deleted += cursor.rowcount
            if cursor.rowcount < BATCH:
                return deleted
