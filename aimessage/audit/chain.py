"""Computes the hashes of rows of the audit trail, and verifies their chain."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from django.db.models import OuterRef, Subquery

from aimessage.audit.models import FIRST_PREVIOUS, Entry, Erasure, Head

#: Rows that are held in memory at a time.
BATCH = 2000

FIELDS = [field.attname for field in Entry._meta.concrete_fields if field.attname != "hash"]


def hash_of(entry: Entry) -> str:
    """SHA-256 in hex over all columns except `hash` (and an empty `salt`), as ASCII JSON with sorted keys."""
    values = {name: _plain(getattr(entry, name)) for name in FIELDS}
    if not entry.salt:
        del values["salt"]
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _plain(value: object) -> object:
    # Both databases keep times to the microsecond. All other values are JSON already.
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


#: The key in `after` of the seal over the rows that this row erased.
SEAL = "seal"
_REMAINING_HASH = Subquery(Erasure.objects.filter(entry_id=OuterRef("pk")).order_by("-by").values("hash")[:1])


def seal_of(erasures: Iterable[tuple[int, str]]) -> str:
    """SHA-256 in hex over the erased rows, ascending, each with the hash of its remaining content."""
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
    """The chain does not hold; names the first faulty row."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"Row {number} {what}.")
        self.number = number


def current_head() -> Link:
    head = Head.objects.filter(pk=Head.ONLY).first()
    return Link(head.number, head.hash) if head else Link(0, FIRST_PREVIOUS)


def verify_chain(head: Link, *, expected: Link | None = None) -> Iterator[int]:
    """Checks the rows up to `head`, and that no row lies beyond the end. Yields its progress in rows.

    Raises Broken at the first row that was changed, removed or inserted by hand. If somebody recomputed the
    whole chain, only `expected` shows it: a head that an earlier run printed and that was kept elsewhere.
    """
    # Read before the end of the chain, since rows may be appended meanwhile.
    newest = Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    end = current_head()
    stray = Entry.objects.filter(pk__lt=1).order_by("pk").values_list("pk", flat=True).first()
    if stray is not None:
        raise Broken(stray, "was inserted by hand: rows count from 1")
    last = Link(0, FIRST_PREVIOUS)
    sealing: set[int] = set()
    while last.number < head.number:
        following = Entry.objects.filter(pk__gt=last.number, pk__lte=head.number)
        # The erasure comes in one statement with its row, since rows may be erased meanwhile.
        rows = list(following.annotate(remaining_hash=_REMAINING_HASH).order_by("pk")[:BATCH])
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
    # Each erasure must belong to a row that sealed it. `sealing` are the rows in the chain that have a seal.
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
    # An erased row has a second hash, over its remaining content. The first still links its neighbours.
    if hash_of(entry) != (entry.remaining_hash or entry.hash):  # type: ignore[attr-defined]
        raise Broken(entry.pk, "was changed or inserted by hand: its hash does not fit")
    if entry.previous_hash != last.hash:
        # A forged row would continue the previous hash, so the previous row was changed.
        if last.number == 0:
            raise Broken(entry.pk, "was changed, and its hash with it: it is not the first of a chain")
        raise Broken(last.number, f"was changed, and its hash with it: row {entry.pk} continues another")
