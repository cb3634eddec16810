"""Reads `.env` strictly: a line that cannot be parsed is an error, not a setting that is silently missing.

No error message quotes a value, since it may be a password.
"""

import os
import re
import unicodedata
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

#: Bytes; a larger file is no `.env`.
MAX_SIZE = 1 << 20

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_SINGLE_QUOTED = re.compile(r"'([^']*)'(?:\s+#.*)?")
_DOUBLE_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s+#.*)?')
#: As in shells and in systemd's EnvironmentFile; any other backslash is a plain character.
_ESCAPED = re.compile(r'\\(["\\$`])')
_COMMENT = re.compile(r"\s#")


def load_env_file(path: Path, *, required: bool) -> set[str]:
    """Sets the file's variables in the environment unless they have a value there; returns all their names.

    Raises ImproperlyConfigured with file and line for a line that is no assignment, comment or blank line.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        if not required:
            return set()
        raise ImproperlyConfigured(f"AI_MESSAGE_ENV_FILE={path}: there is no such file.") from None
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}.") from None
    if len(raw) > MAX_SIZE:
        raise ImproperlyConfigured(f"{path} is too large for a file of settings.")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    values = parse_env(text, str(path))
    for name, value in values.items():
        if not os.environ.get(name):
            os.environ[name] = value
    return set(values)


def parse_env(text: str, source: str) -> dict[str, str]:
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            name, value = _parse_line(line)
            if name in values:
                raise ValueError(f"{name} stands in line {lines[name]} already")
        except ValueError as error:
            raise ImproperlyConfigured(f"{source}, line {number}: {error}.") from None
        values[name], lines[name] = value, number
    return values


def _parse_line(line: str) -> tuple[str, str]:
    match = _ASSIGNMENT.fullmatch(line)
    if match is None:
        raise ValueError("this is no NAME=value. A comment begins with #")
    name, raw = match[1], match[2]
    value = _parse_value(name, raw)
    if any(unicodedata.category(character) == "Cc" and character != "\t" for character in value):
        raise ValueError(f"{name} has a control character in its value")
    return name, value


def _parse_value(name: str, raw: str) -> str:
    text = raw.strip()
    if text[:1] == "'":
        quoted = _SINGLE_QUOTED.fullmatch(text)
    elif text[:1] == '"':
        quoted = _DOUBLE_QUOTED.fullmatch(text)
    else:
        # `NAME= # comment` has no value; `NAME=#x` has the value `#x`.
        return _COMMENT.split(raw, maxsplit=1)[0].strip()
    if quoted is None:
        raise ValueError(
            f"the value of {name} begins with a quotation mark and does not end with it. Values of several"
            " lines are not supported"
        )
    return quoted[1] if text[0] == "'" else _ESCAPED.sub(r"\1", quoted[1])
