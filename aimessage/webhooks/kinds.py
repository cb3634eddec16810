"""The data that a webhook carries, by kind of event. Apps register their kinds in `apps.py`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from aimessage.events.kinds import EventRow


class Told(NamedTuple):
    """The data of a webhook."""

    #: Every endpoint gets these.
    ids: Mapping[str, object]
    #: For endpoints with `include_content`, as {"message": <the API object>}; empty once it is deleted.
    objects: Mapping[str, object]


#: Returns the data of every row by the event's id, even if what the event is about was deleted since.
Teller = Callable[[Sequence[EventRow]], Mapping[int, Told]]

TEST = "webhook.test"
TELLERS: dict[str, Teller] = {}


def add_webhook_kinds(names: Iterable[str], teller: Teller) -> None:
    for name in names:
        TELLERS[name] = teller


def tell_ids(rows: Sequence[EventRow]) -> dict[int, Told]:
    return {row.id: Told(ids_of(row), {}) for row in rows}


def ids_of(row: EventRow) -> dict[str, object]:
    ids: dict[str, object] = {}
    if row.message_id is not None:
        ids["message_id"] = row.message_id
    if row.conversation_id is not None:
        ids["conversation_id"] = row.conversation_id
    return {**ids, **(row.data or {})}


def tell(rows: Sequence[EventRow]) -> dict[int, Told]:
    """The data by event id, in a constant number of queries. Kinds without webhooks are left out."""
    by_teller: dict[Teller, list[EventRow]] = {}
    for row in rows:
        if teller := TELLERS.get(row.kind):
            by_teller.setdefault(teller, []).append(row)
    told: dict[int, Told] = {}
    for teller, some in by_teller.items():
        told |= teller(some)
    return told
