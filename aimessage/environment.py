"""Reads settings from the environment. Its errors (ImproperlyConfigured) name the variable.

An empty variable counts as absent.
"""

import os
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

from aimessage.database_url import DatabaseConfig, parse_database_url, sqlite_config
from aimessage.hosts import parse_host, parse_origin

T = TypeVar("T")

#: Seconds per unit of a throttle rate such as `20/minute`.
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
#: The highest number of requests per unit.
HIGHEST_RATE = 10**6
#: Bytes of a file with a password; a larger file is something else.
LONGEST_SECRET = 4096

#: Bits before the IPv4 address in `::ffff:192.0.2.1` (RFC 4291, section 2.5.5.2).
IPV4_MAPPED_PREFIX = 96

# SQLAlchemy, which the old backend used, names the driver in the scheme: postgresql+psycopg2://
SQLALCHEMY_DRIVER = re.compile(r"^(\w+)\+\w+://")

#: Every variable that was read; find_unknown() warns of others.
KNOWN: set[str] = set()
PREFIX = "AI_MESSAGE_"
#: Similarity (0 to 1) from which a name counts as a typo: of what follows PREFIX, and of names without it.
ALIKE, ALIKE_WITHOUT_PREFIX = 0.8, 0.88


def read_text(name: str, default: str = "") -> str:
    KNOWN.add(name)
    return os.environ.get(name) or default


def _read(name: str, convert: Callable[[str], T], default: T, expected: str) -> T:
    raw = read_text(name).strip()
    if not raw:
        return default
    try:
        return convert(raw)
    except (ValueError, KeyError):
        raise ImproperlyConfigured(f"{name}={raw!r} is not {expected}.") from None


def read_described(name: str, default: str, convert: Callable[[str], T]) -> T:
    """The error is the name and the text of `convert`'s ValueError. It does not quote the value, which may
    contain a password."""
    try:
        return convert(read_text(name).strip() or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} {error}.") from None


def read_flag(name: str, default: bool = False) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    return _read(name, lambda raw: words[raw.lower()], default, "one of 1, 0, true, false")


def _whole(raw: str, low: int, high: int) -> int:
    # Only digits: int() also accepts 1_000, +5 and the digits of every script.
    if not re.fullmatch("[0-9]{1,18}", raw) or not low <= int(raw) <= high:
        raise ValueError(raw)
    return int(raw)


def read_int(name: str, default: int, *, low: int = 0, high: int = 2**31 - 1) -> int:
    return _read(name, lambda raw: _whole(raw, low, high), default, f"a whole number from {low} to {high}")


def read_list(name: str) -> list[str]:
    return [part.strip() for part in read_text(name).split(",") if part.strip()]


def read_names(name: str, default: str) -> list[str]:
    names = read_list(name) or [part.strip() for part in default.split(",")]
    return [] if [part.lower() for part in names] == ["off"] else names


def parse_rate(raw: str) -> tuple[int, int] | None:
    """`20/minute` becomes (20, 60), in requests and seconds; `off` is None. Raises ValueError or KeyError."""
    if raw.lower() == "off":
        return None
    count, _, period = raw.partition("/")
    return _whole(count.strip(), 1, HIGHEST_RATE), PERIODS[period.strip().lower()]


def read_rate(name: str, default: str) -> tuple[int, int] | None:
    expected = f"`off` or a rate as 20/minute, of at most {HIGHEST_RATE} a second, minute, hour or day"
    return _read(name, parse_rate, parse_rate(default), expected)


def read_path(name: str, default: Path, base: Path) -> Path:
    return base / read_text(name, str(default))


def read_networks(name: str, default: str) -> list[IPv4Network | IPv6Network]:
    def convert(raw: str) -> list[IPv4Network | IPv6Network]:
        if raw.lower() == "off":
            return []
        return [_network(part.strip()) for part in raw.split(",") if part.strip()]

    return _read(name, convert, convert(default), "`off` or addresses and networks as 10.0.0.0/8, ::1")


def _network(text: str) -> IPv4Network | IPv6Network:
    # A network of IPv4 addresses mapped into IPv6 becomes an IPv4 network.
    network = ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < IPV4_MAPPED_PREFIX:
        return network
    return IPv4Network((mapped, network.prefixlen - IPV4_MAPPED_PREFIX))


def read_choice(name: str, *choices: str) -> str:
    """The first of `choices` is the default."""
    return _read(
        name, lambda raw: choices[choices.index(raw.lower())], choices[0], f"one of {', '.join(choices)}"
    )


# --- Hosts and origins -------------------------------------------------------------------------


def read_hosts(name: str) -> list[str]:
    return [_parse_entry(name, entry, parse_host) for entry in read_list(name)]


def read_origins(name: str) -> list[str]:
    return [_parse_entry(name, entry, parse_origin) for entry in read_list(name)]


def read_listen_host(name: str, default: str) -> str:
    raw = read_text(name, default).strip()
    if raw == "*":
        raise ImproperlyConfigured(f"{name}='*': write 0.0.0.0, or :: for IPv6 as well.")
    host = _parse_entry(name, raw, parse_host)
    if host.startswith("."):
        raise ImproperlyConfigured(f"{name}={raw!r} is no address to listen on.")
    return host.strip("[]")


def _parse_entry(name: str, entry: str, parse: Callable[[str], str]) -> str:
    try:
        return parse(entry)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {entry!r} {error}.") from None


# --- The database ------------------------------------------------------------------------------


def read_database(default: Path, *, base: Path) -> DatabaseConfig:
    """From DATABASE_URL, else AI_MESSAGE_DATABASE_URL, else SQLite in the file `default`.

    Relative paths are below `base`. AI_MESSAGE_DATABASE_PASSWORD_FILE may name a file with the password.
    """
    name = "DATABASE_URL" if read_text("DATABASE_URL").strip() else "AI_MESSAGE_DATABASE_URL"
    url = read_text(name).strip()
    try:
        config = parse_database_url(url, base=base) if url else sqlite_config(default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} {error}.") from None
    password = read_secret_file("AI_MESSAGE_DATABASE_PASSWORD_FILE")
    if password:
        if config["ENGINE"].endswith("sqlite3") or config["PASSWORD"]:
            raise ImproperlyConfigured(
                "AI_MESSAGE_DATABASE_PASSWORD_FILE is for a DATABASE_URL of PostgreSQL that has no password"
                " in it, as postgresql://user@host:5432/name."
            )
        config["PASSWORD"] = password
    return config


def read_secret_file(name: str) -> str:
    """The content of the file that the variable names, without line breaks; "" without the variable."""
    path = read_text(name).strip()
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            secret = file.read(LONGEST_SECRET + 1).strip("\r\n")
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}={path} cannot be read: {error.strerror}. This process is user {os.getuid()}, group"
            f" {os.getgid()}."
        ) from None
    except ValueError:
        raise ImproperlyConfigured(f"{name}={path} is not UTF-8 text.") from None
    if not secret.strip() or len(secret) > LONGEST_SECRET or not secret.isprintable():
        raise ImproperlyConfigured(f"{name}={path} does not hold one line with a password.")
    return secret


# --- Names -------------------------------------------------------------------------------------


def find_unknown(names_in_file: Iterable[str]) -> list[str]:
    """Returns a sentence for each variable of the environment and of `.env` that nothing reads.

    Raises ImproperlyConfigured for a probable typo, which is a name close to a setting that is not set. Other
    names may belong to another release, and must not prevent a start after a rollback.
    """
    ours = [name for name in os.environ if name.startswith(PREFIX)]
    sentences = []
    for name in sorted({*ours, *names_in_file} - KNOWN):
        meant = _meant(name)
        if meant and not os.environ.get(meant):
            raise ImproperlyConfigured(f"{name} is no setting. Did you mean {meant}?")
        if name.startswith(PREFIX):
            sentences.append(f"{name} is no setting of this release, and changes nothing.")
    return sentences


def _meant(name: str) -> str:
    upper = name.upper()
    if upper in KNOWN:
        return upper
    ends = {known.removeprefix(PREFIX): known for known in KNOWN if known.startswith(PREFIX)}
    others = {known: known for known in KNOWN if not known.startswith(PREFIX)}
    known, alike = (ends, ALIKE) if upper.startswith(PREFIX) else (others, ALIKE_WITHOUT_PREFIX)
    found = get_close_matches(upper.removeprefix(PREFIX), known, n=1, cutoff=alike)
    return known[found[0]] if found else ""
