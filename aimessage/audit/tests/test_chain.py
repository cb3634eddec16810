"""The chain from within: which row is said to be at fault, and how."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from aimessage.audit import chain
from aimessage.audit.chain import FIRST_PREVIOUS, Broken, Link, current_head, hash_of, verify_chain
from aimessage.audit.models import Entry, Head
from aimessage.audit.services import append_entries
from aimessage.audit.tests.trails import by_hand, entry, insert, trail

pytestmark = pytest.mark.django_db


def fault(**options: Any) -> tuple[int, str]:
    with pytest.raises(Broken) as error:
        list(verify_chain(current_head(), **options))
    return error.value.number, str(error.value)


def change(number: int, **changed: Any) -> None:
    """Changes a row, and computes its hash anew."""
    with by_hand() as cursor:
        for column, value in changed.items():
            cursor.execute(f"UPDATE audit_entry SET {column} = %s WHERE id = %s", [value, number])  # noqa: S608
        row = Entry.objects.get(pk=number)
        cursor.execute("UPDATE audit_entry SET hash = %s WHERE id = %s", [hash_of(row), number])


def test_nothing_is_the_head_of_nothing() -> None:
    assert current_head() == Link(0, FIRST_PREVIOUS)
    assert list(verify_chain(current_head())) == []
    append_entries([])
    assert not Head.objects.exists()


def test_it_yields_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chain.BATCH == 2000
    monkeypatch.setattr(chain, "BATCH", 2)
    last = trail(5)[-1]

    assert list(verify_chain(current_head())) == [2, 4, 5]
    assert str(current_head()) == f"5:{last.hash}"
    assert list(verify_chain(current_head(), expected=current_head())) == [2, 4, 5]


def test_a_trail_goes_on_where_it_ended() -> None:
    rows = [*trail(2), *trail(2)]

    assert [row.pk for row in rows] == [1, 2, 3, 4]
    assert [row.previous_hash for row in rows] == [FIRST_PREVIOUS, *(row.hash for row in rows[:-1])]
    assert Head.objects.get().number == 4


def test_a_time_is_the_same_wherever_it_is_told() -> None:
    moments = [
        datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2))),
    ]
    assert len({hash_of(entry(created_at=moment)) for moment in moments}) == 1
    assert chain._plain(moments[1]) == "2026-03-01T12:00:00.000000+00:00"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_json_has_no_hash(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        hash_of(entry(before={"n": number}))


def test_a_first_row_that_continues_something_is_found() -> None:
    trail(3)
    change(1, previous_hash="f" * 64)

    assert fault() == (1, "Row 1 was changed, and its hash with it: it is not the first of a chain.")


def test_a_row_computed_anew_is_found_by_the_next() -> None:
    trail(3)
    change(1, sentence="Enabled.")

    assert fault() == (1, "Row 1 was changed, and its hash with it: row 2 continues another.")


def test_a_last_row_computed_anew_is_found_by_the_head() -> None:
    rows = trail(3)
    change(3, sentence="Enabled.")

    said = f"Row 3 was changed, and its hash with it: the head has {rows[-1].hash}."
    assert fault() == (3, said)


def test_rows_beyond_the_head_are_found_first_of_all_at_the_first() -> None:
    trail(2)
    for number in (5, 7):
        insert(entry(pk=number, previous_hash="f" * 64, hash="f" * 64))

    assert fault() == (5, "Row 5 was inserted by hand: the trail ends at row 2.")


def test_rows_before_the_first_are_found() -> None:
    trail(2)
    for number in (0, -3):
        insert(entry(pk=number, previous_hash="f" * 64, hash="f" * 64))

    assert fault() == (-3, "Row -3 was inserted by hand: rows count from 1.")


def test_removed_rows_are_found() -> None:
    trail(4)
    with by_hand() as cursor:
        cursor.execute("DELETE FROM audit_entry WHERE id IN (2, 3)")
    assert fault() == (2, "Row 2 was removed: row 4 follows row 1.")

    with by_hand() as cursor:
        cursor.execute("DELETE FROM audit_entry WHERE id = 4")
    assert fault() == (2, "Row 2 was removed: the trail goes on to row 4.")


def test_a_kept_head_tells_what_the_trail_alone_cannot() -> None:
    rows = trail(3)
    other = "f" * 64

    said = f"Row 2 has the hash {rows[1].hash}, not the expected {other}."
    assert fault(expected=Link(2, other)) == (2, said)
    assert fault(expected=Link(5, other)) == (4, "Row 4 was removed: row 5 was kept as the head.")
    assert list(verify_chain(current_head(), expected=Link(2, rows[1].hash))) == [3]
