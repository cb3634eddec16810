"""A claim is a sentence that a check has just shown, with its figure; the first false one ends the drill."""

import sys
import time
from types import TracebackType

_START = time.monotonic()


class ClaimFailed(Exception):
    """What was claimed does not hold."""


def section(title: str) -> None:
    print(f"\n=== {title} ({time.monotonic() - _START:.0f} s)", flush=True)


def claim(sentence: str, holds: bool, figure: object = "") -> None:
    """Prints the sentence as shown; raises ClaimFailed where it is not true."""
    line = f"{sentence}: {figure}" if figure != "" else sentence
    if not holds:
        raise ClaimFailed(line)
    print(f"  shown  {line}", flush=True)


class Ticker:
    """What goes on, in one line that is overwritten; nothing where no terminal is."""

    def __enter__(self) -> "Ticker":
        return self

    def say(self, text: str) -> None:
        if sys.stdout.isatty():
            print(f"\r\033[K  ...    {text}", end="", flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)
