"""How a row's hash is computed, and whether a chain of them holds."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db.models import OuterRef, Subquery

from aimessage.audit.models import FIRST_PREVIOUS, Entry, Erasure, Head

#: Rows that are held in memory at a time.
BATCH = 2000

FIELDS = [field.attname for field in Entry._meta.concrete_fields if field.attname != "hash"]


def hash_of(entry: Entry) -> str:
    """SHA-256 in hex over every column but `hash`, and an empty `salt`, as JSON with sorted keys in ASCII."""
    values = {name: _plain(getattr(entry, name)) for name in FIELDS}
    if not entry.salt:
        del values["salt"]
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _plain(value: object) -> Any:
    """A time to the microsecond in UTC, which both databases keep; all else is JSON already."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


#: Where a row keeps the seal over what it erased.
SEAL = "seal"
_LEFT = Subquery(Erasure.objects.filter(entry_id=OuterRef("pk")).order_by("-by").values("hash")[:1])


def seal_of(erasures: Iterable[tuple[int, str]]) -> str:
    """SHA-256 in hex over the numbers of rows, ascending, each with the hash of what is left of it."""
    seal = hashlib.sha256()
    for number, left in erasures:
        seal.update(f"{number}:{left}\n".encode("ascii"))
    return seal.hexdigest()


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
    sealing: set[int] = set()
    while last.number < head.number:
        following = Entry.objects.filter(pk__gt=last.number, pk__lte=head.number)
        # In one statement with the row, which may be erased while the chain is followed.
        rows = list(following.annotate(left=_LEFT).order_by("pk")[:BATCH])
        for entry in rows:
            _check(entry, last)
            if SEAL in entry.after:
                sealing.add(entry.pk)
            last = Link(entry.pk, entry.hash)
            if expected and expected.number == last.number and expected != last:
                raise Broken(last.number, f"has the hash {last.hash}, not the expected {expected.hash}")
        yield last.number
        if not rows:
            raise Broken(last.number + 1, f"was removed: the trail goes on to row {head.number}")
    _check_erasures(sealing)
    if last.hash != head.hash:
        raise Broken(last.number, f"was changed, and its hash with it: the head has {head.hash}")
    if newest > end.number:
        beyond = Entry.objects.filter(pk__gt=end.number).order_by("pk").values_list("pk", flat=True).first()
        raise Broken(beyond or newest, f"was inserted by hand: the trail ends at row {end.number}")
    if expected and expected.number > last.number:
        raise Broken(last.number + 1, f"was removed: row {expected.number} was kept as the head")


def _check_erasures(sealing: set[int]) -> None:
    """Whether each erasure belongs to a row that sealed it; `sealing` are those met in the chain."""
    bys = set(Erasure.objects.order_by().values_list("by", flat=True).distinct())
    for number in sorted(sealing | bys):
        by = Entry.objects.filter(pk=number).first()
        erased = Erasure.objects.filter(by=number).order_by("entry_id").values_list("entry_id", "hash")
        if by is None or by.after.get(SEAL) != seal_of(erased.iterator()):
            first = erased.first()
            raise Broken(
                first[0] if first else number, f"was erased by hand, or as row {number} does not say"
            )


def _check(entry: Entry, last: Link) -> None:
    if entry.pk != last.number + 1:
        raise Broken(last.number + 1, f"was removed: row {entry.pk} follows row {last.number}")
    # An erased row has a second hash, over what is left of it; the first still links its neighbours.
    if hash_of(entry) != (entry.left or entry.hash):  # type: ignore[attr-defined]
        raise Broken(entry.pk, "was changed or inserted by hand: its hash does not fit")
    if entry.previous_hash != last.hash:
        # A forged hash would be linked to the row before, so the fault is in that row.
        if last.number == 0:
            raise Broken(entry.pk, "was changed, and its hash with it: it is not the first of a chain")
        raise Broken(last.number, f"was changed, and its hash with it: row {entry.pk} continues another")
