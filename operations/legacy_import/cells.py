"""Converts cells of the former backend's tables. In SQLite a cell can hold anything.

Each `read_` function returns None for a value that it cannot convert.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal

#: Half of what a JSON client can hold (2^53), which leaves as many ids for new rows.
LARGEST_ID = 2**52
#: Numbers in this range (2001 to 2100) count as seconds since 1970.
UNIX_SECONDS = range(10**9, 4_102_444_800)

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TRUE = {"1", "true", "t", "yes", "y", "on"}
_FALSE = {"0", "false", "f", "no", "n", "off"}


def read_whole(value: object) -> int | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        # Beyond 2^53 a float does not hold every integer.
        return int(number) if abs(number) < 2**53 and number.is_integer() else None
    if isinstance(value, bytes | str):
        text = read_text(value).strip()
        return int(text) if _WHOLE.fullmatch(text) else None
    return None


def read_id(value: object) -> int | None:
    number = read_whole(value)
    return number if number is not None and 1 <= number <= LARGEST_ID else None


def read_own_id(value: object) -> int | None:
    """The primary key of a row: other than a foreign key, it must be stored as a number."""
    return read_id(value) if isinstance(value, int | Decimal) else None


def read_text(value: object) -> str:
    """Text that PostgreSQL can store: without NUL, and with U+FFFD in place of broken UTF-8."""
    if isinstance(value, bytes):
        text = value.decode(errors="surrogateescape")
    else:
        text = "" if value is None else str(value)
    if text.isascii():
        return text.replace("\0", "")
    return _SURROGATE.sub("\ufffd", text.replace("\0", ""))


def is_clean(value: object) -> bool:
    return value is None or (isinstance(value, str) and read_text(value) == value)


def read_flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    word = read_text(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def read_time(value: object) -> datetime | None:
    """In UTC. A time without an offset counts as UTC."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC) if int(value) in UNIX_SECONDS else None
        time = value if isinstance(value, datetime) else datetime.fromisoformat(read_text(value).strip())
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
