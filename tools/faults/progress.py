"""What runs and how far it is, on a terminal and in a plain log; and the table of figures at the end."""

import sys
import time
from textwrap import wrap
from typing import Any

#: Seconds between two lines about one test: on a terminal they overwrite one another.
ON_A_TERMINAL, IN_A_LOG = 0.5, 15.0
WIDTH = 110


class Display:
    """Writes to standard error. `begin` and `end` frame each test, in between `show` tells how far it is."""

    def __init__(self, total: int, capture: Any) -> None:
        self.total, self.number = total, 0
        self.capture = capture
        self.start = self.shown = time.monotonic()
        self.interactive = sys.stderr.isatty()
        self.name = ""
        self.results: list[tuple[str, str, float, dict[str, Any]]] = []

    def begin(self, name: str) -> None:
        self.number += 1
        self.name, self.began, self.shown = name, time.monotonic(), time.monotonic()
        self._write(self._head(), passing=True)

    def show(self, text: str) -> None:
        """Of many calls within a short time, the first is shown."""
        now = time.monotonic()
        if now - self.shown >= (ON_A_TERMINAL if self.interactive else IN_A_LOG):
            self.shown = now
            self._write(f"{self._head()}: {text}", passing=True)

    def end(self, outcome: str, figures: dict[str, Any]) -> None:
        seconds = time.monotonic() - self.began
        self.results.append((self.name, outcome, seconds, figures))
        self._write(f"{self._head()}: {outcome} after {seconds:.0f} s")

    def fail(self, why: str) -> None:
        self._write("\n".join(f"    {line}" for line in why.splitlines()[:10]))

    def _head(self) -> str:
        elapsed = int(time.monotonic() - self.start)
        return f"[{self.number:2}/{self.total} {elapsed // 60:3}:{elapsed % 60:02}] {self.name}"

    def _write(self, line: str, *, passing: bool = False) -> None:
        """A passing line is overwritten by the next one on a terminal."""
        if self.interactive:
            line = f"\r\x1b[2K{line[:WIDTH] if passing else line}" + ("" if passing else "\n")
        else:
            line += "\n"
        with self.capture.global_and_fixture_disabled():
            sys.stderr.write(line)
            sys.stderr.flush()

    def table(self) -> list[str]:
        lines = []
        for name, outcome, seconds, figures in self.results:
            said = ", ".join(f"{what.replace('_', ' ')} {value}" for what, value in figures.items())
            lines.append(f"{name}: {outcome} after {seconds:.0f} s")
            lines += wrap(said, WIDTH, initial_indent="    ", subsequent_indent="    ")
        return lines
