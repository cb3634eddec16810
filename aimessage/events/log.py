"""Writes events into the log, and deletes old ones."""

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
from aimessage.events.wake import publish, write_transient
from aimessage.server.metrics import EVENTS_WRITTEN, count

#: Events that one DELETE removes.
BATCH = 5000
#: Rows that one INSERT writes.
ROWS = 500
#: Transient events, such as that somebody is typing, are deleted after this time.
TRANSIENT_KEPT = timedelta(minutes=1)
#: A consumer that has read nothing for this long is probably broken, and keeps events from being deleted.
LATE = timedelta(days=1)

COLUMNS = ("user_id", "kind", "conversation_id", "message_id", "data", "leads", "created_at")
INSERT = f"INSERT INTO events_event ({', '.join(COLUMNS)}) VALUES "  # noqa: S608  names of ours alone
PLACEHOLDERS = f"({', '.join(['%s'] * len(COLUMNS))})"

logger = logging.getLogger("aimessage")


class Entry(NamedTuple):
    """An event to write, one row for each of `users`; without users a single row, for webhooks alone."""

    kind: str
    users: Collection[int | None] = ()
    conversation_id: str | None = None
    message_id: int | None = None
    #: JSON.
    data: object = None


def record(kind: str, users: Collection[int | None] = (), **values: Any) -> None:
    """Writes one event; `values` are the other fields of an Entry.

    Call it as the last statement of the transaction that makes the change. Readers get the events of a
    conversation in the order of their ids. The row locks of the change put them in the order of the changes.
    """
    record_all([Entry(kind, users, **values)])


def record_all(entries: Iterable[Entry]) -> None:
    if not settings.WAKE_URL:
        _write(entries)
        return
    transient_kinds = _transient_kinds()
    kept: list[Entry] = []
    transient: list[Entry] = []
    for entry in entries:
        (transient if entry.kind in transient_kinds else kept).append(entry)
    _write(kept)
    for entry in transient:
        transaction.on_commit(partial(_publish_transient, entry), robust=True)
    if kept:
        transaction.on_commit(publish, robust=True)


def _transient_kinds() -> list[str]:
    return [name for name, kind in KINDS.items() if not kind.kept]


def _publish_transient(entry: Entry) -> None:
    users = {user for user in entry.users if user is not None}
    if not publish(write_transient(entry.kind, users, entry.data)):
        _write([entry])


def _write(entries: Iterable[Entry]) -> None:
    # SQL by hand: every message pays for this, and the ORM is slower.
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    rows: list[Sequence[object]] = []
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
    """Deletes events older than AI_MESSAGE_EVENTS_DAYS days, and transient ones older than TRANSIENT_KEPT.

    Keeps every event that a consumer has not read. Returns how many events were deleted.
    """
    now = timezone.now()
    for name in Consumer.objects.filter(updated_at__lt=now - LATE).values_list("name", flat=True):
        logger.warning("events are kept for consumer %s, which has read nothing for a day", name)
    end = first_id(Event, "created_at", now - timedelta(days=settings.EVENTS_DAYS))
    past = connection.ops.adapt_datetimefield_value(now - TRANSIENT_KEPT)
    condition, params = reading.read_by_all_consumers()
    kinds = _transient_kinds()
    placeholders = ", ".join(["%s"] * len(kinds)) or "NULL"
    # Transient events lie among the newer rows, with ids from `end` on.
    transient = f"id >= %s AND created_at < %s AND kind IN ({placeholders}) AND {condition}"
    deleted = _delete(transient, [end, past, *kinds, *params], dry_run=dry_run)
    deleted += _delete(f"id < %s AND {condition}", [end, *params], dry_run=dry_run)
    return {"events": deleted}


def _delete(old: str, params: list[reading.SqlParam], *, dry_run: bool) -> int:
    rows = f"SELECT id FROM events_event WHERE {old} ORDER BY id"  # noqa: S608  names of ours alone
    deleted = 0
    with connection.cursor() as cursor:
        if dry_run:
            cursor.execute(f"SELECT count(*) FROM ({rows}) AS old", params)  # noqa: S608
            return int(cursor.fetchone()[0])
        while True:
            cursor.execute(f"DELETE FROM events_event WHERE id IN ({rows} LIMIT {BATCH})", params)  # noqa: S608
            deleted += cursor.rowcount
            if cursor.rowcount < BATCH:
                return deleted
