"""Writing the log, and its retention."""

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from aimessage.db.ids import first_id
from aimessage.events import reading
from aimessage.events.models import Consumer, Event
from aimessage.server.metrics import EVENTS_WRITTEN, count

#: Events that one step of the retention deletes.
BATCH = 5000
#: Rows that one INSERT writes.
ROWS = 500
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
    """As `record`, for several events. Written by hand, since every message pays for it."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    rows: list[Sequence[Any]] = []
    for kind, users, conversation_id, message_id, data in entries:
        stored = None if data is None else json.dumps(data)
        receivers: list[int | None] = [*sorted({user for user in users if user is not None})] or [None]
        for number, receiver in enumerate(receivers):
            rows.append((receiver, kind, conversation_id, message_id, stored, number == 0, now))
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            values = [value for row in some for value in row]
            cursor.execute(INSERT + ", ".join([PLACEHOLDERS] * len(some)), values)
    count(EVENTS_WRITTEN, len(rows))


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes events older than AI_MESSAGE_EVENTS_DAYS that every consumer has read; returns how many."""
    now = timezone.now()
    for name in Consumer.objects.filter(updated_at__lt=now - LATE).values_list("name", flat=True):
        logger.warning("events are kept for consumer %s, which has read nothing for a day", name)
    end = first_id(Event, "created_at", now - timedelta(days=settings.EVENTS_DAYS))
    condition, params = reading.read_by_all_consumers()
    old = f"SELECT id FROM events_event WHERE id < %s AND {condition} ORDER BY id"  # noqa: S608
    deleted = 0
    with connection.cursor() as cursor:
        if dry_run:
            cursor.execute(f"SELECT count(*) FROM ({old}) AS old", [end, *params])  # noqa: S608
            return {"events": cursor.fetchone()[0]}
        while True:
            cursor.execute(
                f"DELETE FROM events_event WHERE id IN ({old} LIMIT {BATCH})",  # noqa: S608
                [end, *params],
            )
            deleted += cursor.rowcount
            if cursor.rowcount < BATCH:
                return {"events": deleted}
