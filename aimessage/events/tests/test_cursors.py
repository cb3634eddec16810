import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimessage.events.cursors import (
    MAX_LENGTH,
    MalformedCursor,
    Position,
    Snapshot,
    read_cursor,
    write_cursor,
)

EPOCH = b"\x00\x01\x02\x03\xfc\xfd\xfe\xff"
NUMBERS = st.integers(0, 2**62)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    xmin = draw(st.integers(1, 2**61))
    width = draw(st.integers(0, 500))
    running = draw(st.sets(st.integers(0, width - 1))) if width else set()
    return Snapshot(xmin, xmin + width, tuple(sorted(xmin + offset for offset in running)))


POSITIONS = st.one_of(
    st.builds(Position, NUMBERS, NUMBERS),
    st.builds(Position, NUMBERS, NUMBERS, snapshots()),
    st.builds(Position, NUMBERS, NUMBERS, snapshots(), snapshots()),
)


@given(POSITIONS)
def test_a_cursor_is_read_as_it_was_written(position: Position) -> None:
    assert read_cursor(write_cursor(position, EPOCH)) == (position, EPOCH)


def test_the_cursor_of_a_busy_server_fits() -> None:
    """Two snapshots with 600 writers each, every other transaction finished."""
    one = Snapshot(2**40, 2**40 + 1200, tuple(range(2**40, 2**40 + 1200, 2)))
    assert len(write_cursor(Position(2**31, 2**40, one, one), EPOCH)) <= MAX_LENGTH


@given(snapshots())
def test_a_snapshot_is_written_as_postgresql_does(snapshot: Snapshot) -> None:
    assert Snapshot.parse(str(snapshot)) == snapshot


def written(*numbers: int, version: int = 1) -> str:
    """A cursor of these numbers, each below 128."""
    return base64.urlsafe_b64encode(bytes([version]) + EPOCH + bytes(numbers)).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "ä", "AA==", "A" * 2001, "💥", "AQ", "%00", "..", " "),
        written(version=2),
        written(),  # no numbers
        written(1),
        written(1, 1, 0, 0, 0),  # a snapshot from 0 on
        written(1, 1, 5, 2, 1),  # fewer transactions than it says
        written(1, 1, 5, 2, 1, 2),  # one past the end
        written(1, 1, 5, 9, 2, 1, 0),  # the same twice
        written(1, 1, 5, 0, 0, 5, 0, 0, 5, 0, 0),  # three snapshots
        written(1, 0x80),  # a number that does not end
        written(1, *[0xFF] * 9, 0x01),  # one of more than 63 bits
        written(0x81, 0x00, 1),  # longer than need be
        written(1, 1) + "=",
        written(1, 1) + "\n",
    ],
)
def test_any_other_text_is_none(text: str) -> None:
    with pytest.raises(MalformedCursor):
        read_cursor(text)


@given(st.binary(max_size=60))
def test_whatever_bytes_are_a_cursor_or_none(packed: bytes) -> None:
    text = base64.urlsafe_b64encode(b"\x01" + packed).decode().rstrip("=")
    try:
        position, epoch = read_cursor(text)
    except MalformedCursor:
        return
    assert write_cursor(position, epoch) == text
