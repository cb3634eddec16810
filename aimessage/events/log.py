"""Writing the log, and its retention."""

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from aimessage.db.ids import first_id
from aimessage.events import reading
from aimessage.events.models import Consumer, Event

#: Events that one step of the retention deletes.
BATCH = 5000
#: A consumer that is this far behind keeps events from being deleted for no good reason.
LATE = timedelta(days=1)

COLUMNS = ("user_id", "kind", "conversation_id", "message_id", "data", "leads", "created_at")
INSERT = f"INSERT INTO events_event ({', '.join(COLUMNS)}) VALUES "  # noqa: S608  names of ours alone
PLACEHOLDERS = f"({', '.join(['%s'] * len(COLUMNS))})"

logger = logging.getLogger("aimessage")


def record(
    kind: str,
    users: Iterable[int | None] = (),
    *,
    conversation_id: str | None = None,
    message_id: int | None = None,
    data: Any = None,
) -> None:
    """Writes an event for each of `users`, or, without any, one for webhooks alone.

    Call it as the last statement of the transaction that makes the change: readers get the events of a
    conversation in the order of their ids, which the conversation's lock puts in the order of the changes.
    """
    receivers: list[int | None] = [*sorted({user for user in users if user is not None})] or [None]
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    stored = None if data is None else json.dumps(data)
    values: list[Any] = []
    for number, receiver in enumerate(receivers):
        values += (receiver, kind, conversation_id, message_id, stored, number == 0, now)
    # Written by hand: bulk_create costs several times what the INSERT does, on every message.
    with connection.cursor() as cursor:
        cursor.execute(INSERT + ", ".join([PLACEHOLDERS] * len(receivers)), values)


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
