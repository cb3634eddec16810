"""The kinds of events. Each app adds its own in `apps.py`, with a function that makes their payloads."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from aimessage.api.renderers import write_time


class EventRow(NamedTuple):
    id: int
    user_id: int | None
    kind: str
    conversation_id: str | None
    message_id: int | None
    #: JSON, in the form that each kind has.
    data: Any
    created_at: datetime


class ShownEvent(TypedDict):
    """An event as the API and the stream show it."""

    id: str
    type: str
    created_at: str
    data: object


#: Returns the `data` of each event by the event's id. An event that its reader may no longer see is missing
#: from the mapping, and then from the answer.
Payloads = Callable[[Sequence[EventRow]], Mapping[int, object]]


class Kind(NamedTuple):
    payloads: Payloads
    #: The scope that a personal token needs to read it; None: only a session may.
    scope: str | None
    #: False for transient events: streams send them at once, and GET /events never shows them.
    kept: bool = True


KINDS: dict[str, Kind] = {}


def add_kinds(names: Iterable[str], payloads: Payloads, *, scope: str | None, kept: bool = True) -> None:
    for name in names:
        KINDS[name] = Kind(payloads, scope, kept)


def readable(rows: Sequence[EventRow], scopes: Collection[str] | None) -> list[EventRow]:
    return [row for row in rows if scopes is None or (row.kind in KINDS and KINDS[row.kind].scope in scopes)]


def stored_data(rows: Sequence[EventRow]) -> dict[int, object]:
    """The payloads of kinds that show only what the row itself holds."""
    return {row.id: row.data for row in rows}


def show_events(rows: Sequence[EventRow]) -> list[tuple[EventRow, ShownEvent]]:
    """The events of `rows`, in their order, without those that their reader may no longer see.

    Takes a constant number of queries, whatever is in `rows`.
    """
    by_payloads: dict[Payloads, list[EventRow]] = {}
    for row in rows:
        if kind := KINDS.get(row.kind):
            by_payloads.setdefault(kind.payloads, []).append(row)
    shown: dict[int, object] = {}
    for payloads, some in by_payloads.items():
        shown |= payloads(some)
    return [(row, _show(row, shown[row.id])) for row in rows if row.id in shown]


def show_kept_events(rows: Sequence[EventRow]) -> list[tuple[EventRow, ShownEvent]]:
    return show_events([row for row in rows if row.kind in KINDS and KINDS[row.kind].kept])


def _show(row: EventRow, data: object) -> ShownEvent:
    return {"id": str(row.id), "type": row.kind, "created_at": write_time(row.created_at), "data": data}
