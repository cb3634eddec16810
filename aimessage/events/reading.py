"""Reading the log from a position: every event once, whoever commits in whatever order."""

import hashlib
import json
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from aimessage.api.problems import Gone, Reason
from aimessage.events.cursors import EPOCH_BYTES, Position, Snapshot, read_cursor, write_cursor
from aimessage.events.kinds import EventRow
from aimessage.events.models import Consumer, State

#: A cursor expires so long before the events after it are deleted: `created_at` is when a transaction wrote
#: the row, which may be some time before others could see it.
MARGIN = timedelta(hours=1)

_COLUMNS = "e.id, e.user_id, e.kind, e.conversation_id, e.message_id, e.data, e.created_at"

#: One statement, and so one snapshot. The bounds on xid let it use the index; the two visibility checks
#: decide. In the order of ids: a conversation's are taken under its lock, transaction numbers may be older.
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
_NEWEST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events_event'), 0)"
_SQLITE = f"""
    SELECT s.newest, {_COLUMNS} FROM ({_NEWEST} AS newest) s LEFT JOIN (
        SELECT * FROM events_event WHERE {{whose}} AND id > %s ORDER BY id LIMIT %s
    ) e ON true ORDER BY e.id
"""  # noqa: S608

#: What identifies a PostgreSQL database, and its line of history: after a restore, or a failover that lost
#: commits, the numbers of transactions mean something else.
_CLUSTER = """
    SELECT system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database())::text
    FROM pg_control_system()
"""
_clusters: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


CURSOR_EXPIRED = Reason(
    "This cursor is expired: read the lists, and start anew without a cursor", "cursor_expired"
)


class CursorExpired(Gone):
    """What lies behind the cursor is not kept any more, or it is of another database: 410."""

    def __init__(self) -> None:
        super().__init__(CURSOR_EXPIRED)


@dataclass(frozen=True)
class Page:
    rows: list[EventRow]
    #: Where the next page begins.
    end: Position
    #: Whether to ask for the next page at once.
    more: bool
    start: Position
    until: Snapshot | None

    def after(self, row: EventRow) -> Position:
        """Where to go on for a reader that takes this page's rows up to `row` alone."""
        return replace(self.start, last_id=row.id, until=self.until)


def current_position() -> Position:
    """After all that is committed by now."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_current_snapshot()::text")
            return Position(_now(), since=Snapshot.parse(cursor.fetchone()[0]))
        return Position(_now(), last_id=_newest_id(cursor))


def read_user_events(user_id: int, position: Position, limit: int) -> Page:
    return _read("user_id = %s", [user_id], position, limit)


def read_leading_events(position: Position, limit: int) -> Page:
    """For consumers: each change once, however many people it concerns."""
    return _read("leads", [], position, limit)


def read_events_of(user_ids: Collection[int], position: Position, limit: int) -> Page:
    """What is new to any of these users."""
    if connection.vendor == "postgresql":
        return _read("user_id = ANY(%s)", [list(user_ids)], position, limit)
    return _read(
        "user_id IN (SELECT value FROM json_each(%s))", [json.dumps(list(user_ids))], position, limit
    )


def _read(whose: str, params: list[Any], start: Position, limit: int) -> Page:
    now = _now()
    if connection.vendor == "postgresql":
        found = _rows(_POSTGRESQL, whose, [start.since, start.until, *params, start.last_id, limit + 1])
        until = Snapshot.parse(found[0][0])
        # What `until` stands for is read; where it was taken for an earlier page, there may be more by now.
        end, more = Position(start.taken_at if start.until else now, since=until), start.until is not None
    else:
        found = _rows(_SQLITE, whose, [*params, start.last_id, limit + 1])
        until = None
        end, more = Position(now, max(found[0][0], start.last_id)), False
    rows = [_event(row[1:]) for row in found if row[1] is not None]
    page = Page(rows[:limit], end, more, start, until)
    if len(rows) <= limit:
        return page
    return replace(page, end=page.after(page.rows[-1]), more=True)


def _rows(sql: str, whose: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql.format(whose=whose), [str(p) if isinstance(p, Snapshot) else p for p in params])
        return cursor.fetchall()


def _event(row: tuple[Any, ...]) -> EventRow:
    pk, user_id, kind, conversation_id, message_id, data, created_at = row
    if isinstance(created_at, str):
        created_at = datetime.fromisoformat(created_at)
    created_at = created_at.replace(tzinfo=created_at.tzinfo or UTC)
    data = json.loads(data) if isinstance(data, str) else data
    return EventRow(pk, user_id, kind, conversation_id, message_id, data, created_at)


def _now() -> int:
    return int(time.time())


def _newest_id(cursor: Any) -> int:
    """The newest id that SQLite gave, whether its row is still there or not."""
    cursor.execute(_NEWEST)
    newest: int = cursor.fetchone()[0]
    return newest


# --- Cursors as clients keep them -----------------------------------------------------------------


def to_cursor(position: Position) -> str:
    return write_cursor(position, current_epoch())


def from_cursor(text: str) -> Position:
    """The position that `text` holds.

    Raises MalformedCursor for what is no cursor, CursorExpired where events after it are not kept any more,
    or it is of another database.
    """
    position, epoch = read_cursor(text)
    kept = timedelta(days=settings.EVENTS_DAYS) - MARGIN
    of_postgresql = position.since is not None
    if epoch != current_epoch() or of_postgresql != (connection.vendor == "postgresql"):
        raise CursorExpired
    if position.taken_at < _now() - kept.total_seconds():
        raise CursorExpired
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            if position.last_id > _newest_id(cursor):  # a copy of the file was put back
                raise CursorExpired
    return position


def renew_epoch() -> None:
    """Makes every cursor of before expire; `restore` calls it."""
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
    """From now on events are kept until `name` has read them; again, it changes nothing."""
    Consumer.objects.get_or_create(
        name=name, defaults={"cursor": to_cursor(current_position()), "updated_at": timezone.now()}
    )


def stop_consumer(name: str) -> None:
    Consumer.objects.filter(name=name).delete()


@contextmanager
def consume(name: str, limit: int) -> Iterator[Page | None]:
    """A page of what `name` has not read, which counts as read when the block ends well.

    One transaction, with the consumer's row locked: what the block writes is written exactly once for each
    event. None where somebody else reads for it, or it was not started.
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
    """Its events are kept however old they are; after a restore it begins anew."""
    position, epoch = read_cursor(consumer.cursor)
    return position if epoch == current_epoch() else current_position()


def read_by_all_consumers() -> tuple[str, list[Any]]:
    """A condition of SQL for events that no consumer still needs, and its parameters."""
    conditions, params = ["true"], list[Any]()
    for consumer in Consumer.objects.all():
        position = _position_of(consumer)
        if position.since is None:
            conditions.append("id <= %s")
            params.append(position.last_id)
        else:
            conditions.append("pg_visible_in_snapshot(xid, %s::pg_snapshot)")
            params.append(str(position.since))
    return " AND ".join(conditions), params
