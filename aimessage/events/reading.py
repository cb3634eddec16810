"""Reads the log from a position on. Every event is read once, in whatever order transactions commit."""

import hashlib
import json
import secrets
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from aimessage.api.problems import Gone, Reason
from aimessage.events.cursors import EPOCH_BYTES, Position, Snapshot, read_cursor, write_cursor
from aimessage.events.kinds import EventRow
from aimessage.events.models import Consumer, State

#: A cursor expires this long before the events after it are deleted: a row may become visible to others some
#: time after its `created_at`.
MARGIN = timedelta(hours=1)

_COLUMNS = "e.id, e.user_id, e.kind, e.conversation_id, e.message_id, e.data, e.created_at"

#: One statement, and so one snapshot. The bounds on xid let it use the index; the visibility checks decide.
#: Ordered by id: ids of a conversation are assigned under its lock, transaction ids may be assigned earlier.
_POSTGRESQL = f"""
    WITH s AS MATERIALIZED (
        SELECT %s::pg_snapshot AS since, coalesce(%s::pg_snapshot, pg_current_snapshot()) AS until
    )
    SELECT s.until::text, {_COLUMNS} FROM s LEFT JOIN LATERAL (
        SELECT * FROM events_event
        WHERE {{whose}} AND xid >= pg_snapshot_xmin(s.since) AND xid < pg_snapshot_xmax(s.until)
            AND NOT pg_visible_in_snapshot(xid, s.since) AND pg_visible_in_snapshot(xid, s.until) AND id > %s
        ORDER BY id LIMIT %s
    ) e ON true ORDER BY e.id
"""  # noqa: S608  names of ours alone
#: The last id that SQLite assigned, even if its row is deleted.
_NEWEST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events_event'), 0)"
_SQLITE = f"""
    SELECT s.newest, {_COLUMNS} FROM ({_NEWEST} AS newest) s LEFT JOIN (
        SELECT * FROM events_event WHERE {{whose}} AND id > %s ORDER BY id LIMIT %s
    ) e ON true ORDER BY e.id
"""  # noqa: S608

#: Identifies a PostgreSQL database and its timeline: after a restore, or a failover that lost commits, the
#: same transaction ids mean other transactions.
_CLUSTER = """
    SELECT system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database())::text
    FROM pg_control_system()
"""
SqlParam = str | int | list[int] | None
_clusters: WeakKeyDictionary[object, str] = WeakKeyDictionary()


CURSOR_EXPIRED = Reason(
    "This cursor is expired: read the lists, and start anew without a cursor", "cursor_expired"
)


class CursorExpired(Gone):
    """The events after the cursor may have been deleted, or the cursor is from another database."""

    def __init__(self) -> None:
        super().__init__(CURSOR_EXPIRED)


@dataclass(frozen=True)
class Page:
    rows: list[EventRow]
    #: Where the next page begins.
    end: Position
    #: Whether the next page can be read at once.
    more: bool
    start: Position
    until: Snapshot | None

    def after(self, row: EventRow) -> Position:
        """The position of a reader that takes only the rows up to and including `row`."""
        return replace(self.start, last_id=row.id, until=self.until)


def current_position() -> Position:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_current_snapshot()::text")
            return Position(_now(), since=Snapshot.parse(cursor.fetchone()[0]))
        return Position(_now(), last_id=_newest_id(cursor))


def read_user_events(user_id: int, position: Position, limit: int) -> Page:
    return _read("user_id = %s", [user_id], position, limit)


def read_leading_events(position: Position, limit: int) -> Page:
    return _read("leads", [], position, limit)


def read_events_of(user_ids: Collection[int], position: Position, limit: int) -> Page:
    if connection.vendor == "postgresql":
        return _read("user_id = ANY(%s)", [list(user_ids)], position, limit)
    return _read(
        "user_id IN (SELECT value FROM json_each(%s))", [json.dumps(list(user_ids))], position, limit
    )


def _read(whose: str, params: list[SqlParam], start: Position, limit: int) -> Page:
    now = _now()
    if connection.vendor == "postgresql":
        found = _rows(_POSTGRESQL, whose, [start.since, start.until, *params, start.last_id, limit + 1])
        until = Snapshot.parse(found[0][0])
        # Everything up to `until` is read. If an earlier page fixed `until`, there may be newer events.
        end, more = Position(start.taken_at if start.until else now, since=until), start.until is not None
    else:
        found = _rows(_SQLITE, whose, [*params, start.last_id, limit + 1])
        until = None
        end, more = Position(now, max(found[0][0], start.last_id)), False
    rows = [_event(*row[1:]) for row in found if row[1] is not None]
    page = Page(rows[:limit], end, more, start, until)
    if len(rows) <= limit:
        return page
    return replace(page, end=page.after(page.rows[-1]), more=True)


def _rows(sql: str, whose: str, params: Sequence[SqlParam | Snapshot]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql.format(whose=whose), [str(p) if isinstance(p, Snapshot) else p for p in params])
        return cursor.fetchall()


def _event(
    pk: int,
    user_id: int | None,
    kind: str,
    conversation_id: str | None,
    message_id: int | None,
    data: object,
    created_at: datetime | str,
) -> EventRow:
    # Without a model JSON comes as text, and on SQLite times do, too, without their zone.
    if isinstance(created_at, str):
        created_at = datetime.fromisoformat(created_at)
    created_at = created_at.replace(tzinfo=created_at.tzinfo or UTC)
    data = json.loads(data) if isinstance(data, str) else data
    return EventRow(pk, user_id, kind, conversation_id, message_id, data, created_at)


def _now() -> int:
    return int(time.time())


def _newest_id(cursor: CursorWrapper) -> int:
    cursor.execute(_NEWEST)
    return int(cursor.fetchone()[0])


# --- Cursors as clients keep them -----------------------------------------------------------------


def to_cursor(position: Position) -> str:
    return write_cursor(position, current_epoch())


def from_cursor(text: str) -> Position:
    """Returns the position of a client's cursor. Raises MalformedCursor and CursorExpired."""
    position, epoch = read_cursor(text)
    kept = timedelta(days=settings.EVENTS_DAYS) - MARGIN
    of_postgresql = position.since is not None
    if epoch != current_epoch() or of_postgresql != (connection.vendor == "postgresql"):
        raise CursorExpired
    if position.taken_at < _now() - kept.total_seconds():
        raise CursorExpired
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            if position.last_id > _newest_id(cursor):  # an older copy of the file was put back
                raise CursorExpired
    return position


def renew_epoch() -> None:
    """Makes all cursors that exist expire; `restore` calls it."""
    State.objects.update_or_create(pk=State.ONLY, defaults={"epoch": secrets.token_hex(16)})


def current_epoch() -> bytes:
    state, _ = State.objects.get_or_create(pk=State.ONLY, defaults={"epoch": secrets.token_hex(16)})
    return hashlib.sha256(f"{state.epoch} {_cluster()}".encode()).digest()[:EPOCH_BYTES]


def _cluster() -> str:
    if connection.vendor != "postgresql":
        return connection.vendor
    connection.ensure_connection()
    raw = connection.connection
    if raw not in _clusters:
        with connection.cursor() as cursor:
            cursor.execute(_CLUSTER)
            _clusters[raw] = " ".join(cursor.fetchone())
    return _clusters[raw]


# --- Consumers inside this installation -----------------------------------------------------------


def start_consumer(name: str) -> None:
    """Keeps events from now on until `name` has read them. Does nothing if it was started before."""
    Consumer.objects.get_or_create(
        name=name, defaults={"cursor": to_cursor(current_position()), "updated_at": timezone.now()}
    )


def stop_consumer(name: str) -> None:
    Consumer.objects.filter(name=name).delete()


@contextmanager
def consume(name: str, limit: int) -> Iterator[Page | None]:
    """Yields a page that `name` has not read. It counts as read when the block ends without an error.

    The block runs in one transaction with the consumer's row locked, so that what it writes is written
    exactly once for each event. Yields None if another worker has the lock, or the consumer was not started.
    """
    with transaction.atomic():
        rows = Consumer.objects.select_for_update(skip_locked=True).filter(pk=name)
        consumer = rows.first()
        if consumer is None:
            yield None
            return
        page = read_leading_events(_position_of(consumer), limit)
        yield page
        cursor = to_cursor(page.end)
        Consumer.objects.filter(pk=name).update(cursor=cursor, updated_at=timezone.now())


def _position_of(consumer: Consumer) -> Position:
    # Its position never expires, since its events are kept. After a restore it starts from now.
    position, epoch = read_cursor(consumer.cursor)
    return position if epoch == current_epoch() else current_position()


def read_by_all_consumers() -> tuple[str, list[SqlParam]]:
    """Returns an SQL condition for the events that all consumers have read, and its parameters."""
    conditions, params = ["true"], list[SqlParam]()
    for consumer in Consumer.objects.all():
        position = _position_of(consumer)
        if position.since is None:
            conditions.append("id <= %s")
            params.append(position.last_id)
        else:
            conditions.append("pg_visible_in_snapshot(xid, %s::pg_snapshot)")
            params.append(str(position.since))
    return " AND ".join(conditions), params
