"""Cursors: how far a client has read the log, as the opaque text that clients keep.

On SQLite a position is a row's id: with one writer at a time, ids are in the order of commits. On PostgreSQL
it is a snapshot, the set of transactions that were finished when it was taken. Rows that are visible in a
later snapshot but not in the earlier one are new, in whatever order their transactions committed. If a page
ends before all of those are read, the position holds both snapshots and the last row's id.

The text is base64url of a version, the epoch, the time of the position, and the position's numbers.
"""

import base64
import binascii
from dataclasses import dataclass
from itertools import accumulate, pairwise

from aimessage.api.problems import Invalid, Reason

VERSION = 1
EPOCH_BYTES = 8
#: Characters; a cursor travels in a URL or a header.
MAX_LENGTH = 2000
#: No id, time or transaction number needs more bits.
MAX_NUMBER = 2**63

NO_CURSOR = Reason(f"This is no cursor of at most {MAX_LENGTH:,} characters", "malformed", field="after")


class MalformedCursor(Invalid):
    def __init__(self) -> None:
        super().__init__(NO_CURSOR)


@dataclass(frozen=True)
class Snapshot:
    """PostgreSQL's pg_snapshot. Transactions below `xmin` are finished, and those between `xmin` and `xmax`
    unless they are in `running`; those from `xmax` on are not.
    """

    xmin: int
    xmax: int
    running: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        xmin, xmax, running = text.split(":")
        return cls(int(xmin), int(xmax), tuple(map(int, running.split(","))) if running else ())

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.running))}"

    def numbers(self) -> list[int]:
        # Differences are smaller than transaction ids, so they take fewer bytes.
        steps = [later - earlier for earlier, later in pairwise((self.xmin, *self.running))]
        return [self.xmin, self.xmax - self.xmin, len(self.running), *steps]


@dataclass(frozen=True)
class Position:
    """How far somebody has read the log."""

    #: Unix time.
    taken_at: int
    last_id: int = 0
    #: PostgreSQL only. `until` is set while rows between the two snapshots are still unread.
    since: Snapshot | None = None
    until: Snapshot | None = None


def write_cursor(position: Position, epoch: bytes) -> str:
    numbers = [position.taken_at, position.last_id]
    for snapshot in (position.since, position.until):
        numbers += snapshot.numbers() if snapshot else []
    packed = bytes([VERSION]) + epoch + b"".join(map(_pack, numbers))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(text: str) -> tuple[Position, bytes]:
    """Returns the position and the epoch of a cursor. Raises MalformedCursor."""
    if len(text) > MAX_LENGTH:
        raise MalformedCursor
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedCursor from error
    if len(packed) <= EPOCH_BYTES + 1 or packed[0] != VERSION:
        raise MalformedCursor
    position = _read_position(_unpack(packed[EPOCH_BYTES + 1 :]))
    epoch = packed[1 : EPOCH_BYTES + 1]
    # Each position has one text, so any other spelling of it is not ours.
    if write_cursor(position, epoch) != text:
        raise MalformedCursor
    return position, epoch


def _read_position(numbers: list[int]) -> Position:
    try:
        taken_at, last_id, *rest = numbers
        snapshots = []
        while rest:
            snapshot, rest = _read_snapshot(rest)
            snapshots.append(snapshot)
        since, until = (*snapshots, None, None)[:2]
    except (ValueError, IndexError) as error:
        raise MalformedCursor from error
    if len(snapshots) > 2:
        raise MalformedCursor
    return Position(taken_at, last_id, since, until)


def _read_snapshot(numbers: list[int]) -> tuple[Snapshot, list[int]]:
    xmin, width, count, *rest = numbers
    steps, rest = rest[:count], rest[count:]
    running = tuple(accumulate(steps, initial=xmin))[1:]
    ascending = all(step > 0 for step in steps[1:])
    if len(steps) < count or not ascending or not 0 < xmin <= xmin + width < MAX_NUMBER:
        raise MalformedCursor
    if running and running[-1] >= xmin + width:
        raise MalformedCursor
    return Snapshot(xmin, xmin + width, running), rest


def _pack(number: int) -> bytes:
    # LEB128: seven bits a byte, the lowest first; the highest bit says that more bytes follow.
    packed = bytearray()
    while number >= 0x80:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _unpack(packed: bytes) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if number >= MAX_NUMBER:
            raise MalformedCursor
        if byte < 0x80:
            numbers.append(number)
            number, shift = 0, 0
    if shift:
        raise MalformedCursor
    return numbers
