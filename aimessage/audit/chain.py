"""How a row's hash is computed, and whether a chain of them holds."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aimessage.audit.models import FIRST_PREVIOUS, Entry, Head

#: Rows that are held in memory at a time.
BATCH = 2000

FIELDS = [field.attname for field in Entry._meta.concrete_fields if field.attname != "hash"]


def hash_of(entry: Entry) -> str:
    """SHA-256 in hex over every column but `hash`, as JSON with sorted keys in ASCII."""
    values = {name: _plain(getattr(entry, name)) for name in FIELDS}
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    """A time to the microsecond in UTC, which both databases keep; all else is JSON already."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


class Link(NamedTuple):
    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


class Broken(Exception):
    """The chain does not hold; says which row is the first at fault, and how."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"Row {number} {what}.")
        self.number = number


def current_head() -> Link:
    head = Head.objects.filter(pk=Head.ONLY).first()
    return Link(head.number, head.hash) if head else Link(0, FIRST_PREVIOUS)


def verify_chain(head: Link, *, expected: Link | None = None) -> Iterator[int]:
    """Checks the rows up to `head`, and that none follows; yields the number of rows done, now and then.

    Raises Broken at the first row that was changed, removed or inserted by hand. Where the whole
    chain was computed anew, only `expected` tells, a head that was kept elsewhere.
    """
    # The newest row before the head: rows that are appended meanwhile are below a head read later.
    newest = Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    end = current_head()
    stray = Entry.objects.filter(pk__lt=1).order_by("pk").values_list("pk", flat=True).first()
    if stray is not None:
        raise Broken(stray, "was inserted by hand: rows count from 1")
    last = Link(0, FIRST_PREVIOUS)
    while last.number < head.number:
        rows = list(Entry.objects.filter(pk__gt=last.number, pk__lte=head.number).order_by("pk")[:BATCH])
        for entry in rows:
            _check(entry, last)
            last = Link(entry.pk, entry.hash)
            if expected and expected.number == last.number and expected != last:
                raise Broken(last.number, f"has the hash {last.hash}, not the expected {expected.hash}")
        yield last.number
        if not rows:
            raise Broken(last.number + 1, f"was removed: the trail goes on to row {head.number}")
    if last.hash != head.hash:
        raise Broken(last.number, f"was changed, and its hash with it: the head has {head.hash}")
    if newest > end.number:
        beyond = Entry.objects.filter(pk__gt=end.number).order_by("pk").values_list("pk", flat=True).first()
        raise Broken(beyond or newest, f"was inserted by hand: the trail ends at row {end.number}")
    if expected and expected.number > last.number:
        raise Broken(last.number + 1, f"was removed: row {expected.number} was kept as the head")


def _check(entry: Entry, last: Link) -> None:
    if entry.pk != last.number + 1:
        raise Broken(last.number + 1, f"was removed: row {entry.pk} follows row {last.number}")
    if hash_of(entry) != entry.hash:
        raise Broken(entry.pk, "was changed or inserted by hand: its hash does not fit")
    if entry.previous_hash != last.hash:
        # Whoever computes a hash anew links it to the row before, so the fault is in that row.
        if last.number == 0:
            raise Broken(entry.pk, "was changed, and its hash with it: it is not the first of a chain")
        raise Broken(last.number, f"was changed, and its hash with it: row {entry.pk} continues another")
