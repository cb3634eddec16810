from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    #: The database is down, or the check is for another kind of installation.
    SKIPPED = "skipped"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    level: Level
    found: str
    #: What to do about it; empty if nothing.
    advice: str = ""


Check = Callable[[], Finding]


def ok(found: str) -> Finding:
    return Finding(Level.OK, found)


def skipped(found: str) -> Finding:
    return Finding(Level.SKIPPED, found)


def warning(found: str, advice: str) -> Finding:
    return Finding(Level.WARNING, found, advice)


def error(found: str, advice: str) -> Finding:
    return Finding(Level.ERROR, found, advice)
