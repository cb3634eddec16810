"""Reading settings from the environment, with errors that name the variable.

An empty variable is an absent one.
"""

import os
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

#: Seconds in the units a throttle rate may be written in: `20/minute`.
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}

# SQLAlchemy, which the old backend used, names the driver in the scheme: postgresql+psycopg2://
SQLALCHEMY_DRIVER = re.compile(r"^(\w+)\+\w+://")


def read_text(name: str, default: str = "") -> str:
    """A variable as it stands. django-environ would take a leading `$` for another one's name."""
    return os.environ.get(name) or default


def _read(name: str, convert: Callable[[str], T], default: T, expected: str) -> T:
    raw = read_text(name).strip()
    if not raw:
        return default
    try:
        return convert(raw)
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(f"{name}={raw!r} is not {expected}.") from error


def read_flag(name: str, default: bool = False) -> bool:
    """A yes-or-no variable; raises ImproperlyConfigured for anything else."""
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    return _read(name, lambda raw: words[raw.lower()], default, "one of 1, 0, true, false")


def read_int(name: str, default: int, *, low: int = 0, high: int = 2**31 - 1) -> int:
    """An integer variable between `low` and `high`; raises ImproperlyConfigured outside them."""

    def convert(raw: str) -> int:
        value = int(raw)
        if not low <= value <= high:
            raise ValueError
        return value

    return _read(name, convert, default, f"a whole number from {low} to {high}")


def read_list(name: str) -> list[str]:
    """A comma-separated variable, without blanks."""
    return [part.strip() for part in read_text(name).split(",") if part.strip()]


def parse_rate(raw: str) -> tuple[int, int] | None:
    """`20/minute` as (20, 60), in requests and seconds; `off` as None. Raises ValueError or KeyError."""
    if raw.lower() == "off":
        return None
    count, _, period = raw.partition("/")
    number = int(count)
    if number < 1:
        raise ValueError(raw)
    return number, PERIODS[period.strip().lower()]


def read_rate(name: str, default: str) -> tuple[int, int] | None:
    """A throttle rate: (requests, seconds), or None where it is `off`."""
    return _read(name, parse_rate, parse_rate(default), "`off` or a rate as 20/minute")


def read_path(name: str, default: Path, base: Path) -> Path:
    """A file or folder; a relative one is below `base`."""
    return base / read_text(name, str(default))


def read_networks(name: str, default: str) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks, comma-separated; none where it is `off`."""

    def convert(raw: str) -> list[IPv4Network | IPv6Network]:
        if raw.lower() == "off":
            return []
        return [ip_network(part.strip()) for part in raw.split(",") if part.strip()]

    return _read(name, convert, convert(default), "`off` or addresses and networks as 10.0.0.0/8, ::1")


def read_choice(name: str, *choices: str) -> str:
    """One of `choices`, the first where it is absent."""
    return _read(
        name, lambda raw: choices[choices.index(raw.lower())], choices[0], f"one of {', '.join(choices)}"
    )


def read_database(default: str) -> dict[str, Any]:
    """Django's connection settings from DATABASE_URL, else AI_MESSAGE_DATABASE_URL, else `default`."""
    name = "DATABASE_URL" if read_text("DATABASE_URL") else "AI_MESSAGE_DATABASE_URL"
    url = SQLALCHEMY_DRIVER.sub(r"\1://", read_text(name, default))
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError:  # the port is no number
        config = {}
    if config.get("ENGINE") not in {
        "django.db.backends.sqlite3",
        "django.db.backends.postgresql",
    }:
        raise ImproperlyConfigured(
            f"{name} must start with sqlite:/// or postgresql://, as in"
            " postgresql://user:password@host:5432/name."
        )
    return config
