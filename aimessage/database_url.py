"""Parses DATABASE_URL strictly: an ambiguous URL is refused.

No error message quotes any part of the URL, since it may be a part of the password.
"""

import re
from pathlib import Path
from typing import Required, TypedDict
from urllib.parse import unquote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

# With SQLAlchemy's driver, as in postgresql+psycopg2://
_SCHEME = re.compile(r"(\w+)(?:\+\w+)?:")
_MEMORY = {"//:memory:", "///:memory:"}
_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
_ENCODE = "Write / as %2F, @ as %40, : as %3A, # as %23 and ? as %3F in its user, password and name"


class DatabaseConfig(TypedDict, total=False):
    """A database in Django's DATABASES."""

    ENGINE: Required[str]
    NAME: Required[str]
    USER: str
    PASSWORD: str
    HOST: str
    PORT: int | str
    OPTIONS: dict[str, object]
    CONN_MAX_AGE: int | None
    CONN_HEALTH_CHECKS: bool
    DISABLE_SERVER_SIDE_CURSORS: bool


def parse_database_url(url: str, *, base: Path) -> DatabaseConfig:
    """A relative path of SQLite is below `base`.

    The text of its ValueError follows the variable's name in a sentence.
    """
    if any(ord(character) < 32 for character in url):
        raise ValueError("has a control character in it")
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    if match and scheme == "sqlite":
        return _sqlite(url[match.end() :], base)
    if match and scheme in {"postgres", "postgresql"} and url[match.end() :].startswith("//"):
        return _postgresql(f"postgresql:{url[match.end() :]}")
    raise ValueError(
        "must start with sqlite:/// or postgresql://, as in postgresql://user:password@host:5432/name"
    )


def sqlite_config(path: Path) -> DatabaseConfig:
    """Raises ValueError if the file cannot be a database."""
    try:
        if path.is_dir():
            raise ValueError(f"names a folder, {path}, and not a file in it")
        if path.exists() and not path.is_file():
            raise ValueError(f"names {path}, which is no file")
        if not path.parent.is_dir():
            raise ValueError(f"names a file in {path.parent}, and there is no such folder")
    except OSError as error:
        raise ValueError(f"names {path}, which cannot be used: {error.strerror}") from None
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}


def _sqlite(rest: str, base: Path) -> DatabaseConfig:
    if rest in _MEMORY:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    if not rest.startswith("///") or rest == "///":
        raise ValueError(
            "must have three slashes before a path below the project's folder, as in"
            " sqlite:///aimessage.sqlite3, and four before a full path, as in"
            " sqlite:////srv/data/aimessage.sqlite3"
        )
    if "?" in rest:
        raise ValueError("can have no options for SQLite. A question mark in the path is written as %3F")
    try:
        path = unquote(rest[3:], errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a % in its path that stands for no character. Write it as %25") from None
    if path.endswith("/"):
        raise ValueError("names a folder. Add the name of a file")
    if "\0" in path:
        raise ValueError("has a NUL in its path")
    return sqlite_config(base / path)


def _postgresql(url: str) -> DatabaseConfig:
    # libpq checks sslmode, connect_timeout and the port only when it connects; here they are checked now.
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except (ProgrammingError, UnicodeDecodeError) as error:
        raise ValueError(_libpq_objection(url, str(error))) from None
    name, host = found.pop("dbname", ""), found.pop("host", "")
    if not name and "service" not in found:
        raise ValueError("names no database. Add its name, as in postgresql://user:password@host:5432/name")
    if re.search(r"[/@#?]", name) or re.search(r"[@#?\s]", host):
        raise ValueError(f"cannot be read with certainty. {_ENCODE}")
    config: DatabaseConfig = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": found.pop("user", ""),
        "PASSWORD": found.pop("password", ""),
        "HOST": host,
        "PORT": _port(found.pop("port", "")),
        "OPTIONS": {**found},
    }
    if found.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"has an sslmode that is none of {', '.join(sorted(_SSL_MODES))}")
    if "connect_timeout" in found and not _is_number(found["connect_timeout"], 1, 600):
        raise ValueError("has a connect_timeout that is no whole number of seconds from 1 to 600")
    return config


def _port(raw: str) -> int | str:
    # Several hosts may have a port each, separated by commas.
    if not raw:
        return ""
    if not all(_is_number(port, 1, 65535) for port in raw.split(",")):
        raise ValueError(
            f"has a port that is no number from 1 to 65535. {_ENCODE}, or the password is taken for a port"
        )
    return raw if "," in raw else int(raw)


def _is_number(raw: str, low: int, high: int) -> bool:
    return re.fullmatch("[0-9]{1,9}", raw) is not None and low <= int(raw) <= high


def _libpq_objection(url: str, said: str) -> str:
    option = re.search(r'invalid URI query parameter: "([a-z_]+)"', said)
    # If an @ follows, the "option" may be a part of the password.
    if option and "@" not in url.rpartition("?")[2]:
        return f"has the option {option[1]}, which PostgreSQL does not know"
    return f"is no URL that PostgreSQL understands. {_ENCODE}, % as %25, and a blank as %20"
