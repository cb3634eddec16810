"""The kinds of events. Each app adds its own in `apps.py`, with what such an event shows."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from aimessage.api.renderers import write_time


class EventRow(NamedTuple):
    """A row of the log."""

    id: int
    user_id: int | None
    kind: str
    conversation_id: str | None
    message_id: int | None
    data: Any
    created_at: datetime


#: What events of one kind show: by the id of each event its `data`. One that its reader may not see any
#: more is left out of the mapping, and then out of the answer.
Payloads = Callable[[Sequence[EventRow]], Mapping[int, Any]]


class Kind(NamedTuple):
    payloads: Payloads
    #: The scope of a personal token that may read it; None: only a session may.
    scope: str | None
    #: One that is not kept is shown on streams alone, while it is news.
    kept: bool = True


KINDS: dict[str, Kind] = {}


def add_kinds(names: Iterable[str], payloads: Payloads, *, scope: str | None, kept: bool = True) -> None:
    for name in names:
        KINDS[name] = Kind(payloads, scope, kept)


def readable(rows: Sequence[EventRow], scopes: Collection[str] | None) -> list[EventRow]:
    """Those that a personal token with these scopes may read; without a token, all."""
    return [row for row in rows if scopes is None or (row.kind in KINDS and KINDS[row.kind].scope in scopes)]


def stored_data(rows: Sequence[EventRow]) -> dict[int, Any]:
    """For kinds that show what the row holds, and nothing else."""
    return {row.id: row.data for row in rows}


def show_events(rows: Sequence[EventRow]) -> list[tuple[EventRow, dict[str, Any]]]:
    """The event objects of `rows`, in their order, without those that their reader may not see any more.

    A constant number of queries, whatever is in `rows`.
    """
    by_payloads: dict[Payloads, list[EventRow]] = {}
    for row in rows:
        if kind := KINDS.get(row.kind):
            by_payloads.setdefault(kind.payloads, []).append(row)
    shown: dict[int, Any] = {}
    for payloads, some in by_payloads.items():
        shown |= payloads(some)
    return [(row, _object(row, shown[row.id])) for row in rows if row.id in shown]


def show_kept_events(rows: Sequence[EventRow]) -> list[tuple[EventRow, dict[str, Any]]]:
    """The same without those that are news alone."""
    return show_events([row for row in rows if row.kind in KINDS and KINDS[row.kind].kept])


def _object(row: EventRow, data: Any) -> dict[str, Any]:
    return {"id": str(row.id), "type": row.kind, "created_at": write_time(row.created_at), "data": data}
