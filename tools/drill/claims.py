"""A claim is a sentence that a check has just shown, with its figure; the first false one ends the drill."""

import time

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
