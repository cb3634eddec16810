"""Prints each claim that a check has shown, with its figure. The first false one ends the drill."""

import time

_START = time.monotonic()


class ClaimFailed(Exception):
    pass


def section(title: str) -> None:
    print(f"\n=== {title} ({time.monotonic() - _START:.0f} s)", flush=True)


def claim(sentence: str, holds: bool, figure: object = "") -> None:
    line = f"{sentence}: {figure}" if figure != "" else sentence
    if not holds:
        raise ClaimFailed(line)
    print(f"  shown  {line}", flush=True)
