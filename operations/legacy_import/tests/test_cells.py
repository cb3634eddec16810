from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from operations.legacy_import.cells import (
    LARGEST_ID,
    is_clean,
    read_flag,
    read_id,
    read_own_id,
    read_text,
    read_time,
    read_whole,
)

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (17, 17),
        ("17", 17),
        (" 17 ", 17),
        (b"17", 17),
        (17.0, 17),
        (Decimal("17"), 17),
        (-1, -1),
        ("-1", -1),
        (True, 1),
        (17.5, None),
        (float("inf"), None),
        (float("nan"), None),
        (Decimal("NaN"), None),
        ("seventeen", None),
        ("\u0661\u0667", None),
        ("9" * 40, None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_whole_numbers(value: Any, expected: int | None) -> None:
    assert read_whole(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (LARGEST_ID, LARGEST_ID),
        (LARGEST_ID + 1, None),
        (2**63, None),
        (0, None),
        (-5, None),
        ("12", 12),
    ],
)
def test_ids(value: Any, expected: int | None) -> None:
    assert read_id(value) == expected


def test_the_id_of_a_row_is_stored_as_a_number() -> None:
    assert [read_own_id(value) for value in (12, Decimal(12), "12", 12.0, None)] == [12, 12, None, None, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Grüße \U0001f44d", "Grüße \U0001f44d"),
        ("a\0b", "ab"),
        ("ä\0b", "äb"),
        ("a\udcffb", "a\ufffdb"),
        (b"caf\xe9", "caf\ufffd"),
        (b"caf\xc3\xa9", "café"),
        (17, "17"),
        (None, ""),
    ],
)
def test_text(value: Any, expected: str) -> None:
    assert read_text(value) == expected
    assert is_clean(value) == (value is None or value == expected)


@pytest.mark.parametrize("value", [True, 1, "1", "true", "TRUE", "t", "yes", " on "])
def test_yes(value: Any) -> None:
    assert read_flag(value) is True


@pytest.mark.parametrize("value", [False, 0, "0", "false", "F", "no", "off"])
def test_no(value: Any) -> None:
    assert read_flag(value) is False


@pytest.mark.parametrize("value", [None, "", 2, "maybe", b"\xff", 1.5])
def test_neither_yes_nor_no(value: Any) -> None:
    assert read_flag(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-03-01 12:00:00", NOON),
        ("2025-03-01 12:00:00.000000", NOON),
        ("2025-03-01 12:00:00.123456", NOON.replace(microsecond=123456)),
        ("2025-03-01T12:00:00Z", NOON),
        ("2025-03-01 13:00:00+01", NOON),
        ("2025-03-01", NOON.replace(hour=0)),
        (b"2025-03-01 12:00:00", NOON),
        (NOON.replace(tzinfo=None), NOON),
        (NOON, NOON),
        (1740830400, NOON),
        (1740830400.5, NOON.replace(microsecond=500000)),
        ("infinity", None),
        ("0044-03-15 12:00:00 BC", None),
        ("0001-01-01 00:00:00+05", None),
        ("2025-02-30 12:00:00", None),
        ("12345-01-01 00:00:00", None),
        (20250301, None),
        (float("inf"), None),
        (float("nan"), None),
        ("yesterday", None),
        ("", None),
        (True, None),
        (None, None),
    ],
)
def test_times(value: Any, expected: datetime | None) -> None:
    assert read_time(value) == expected
