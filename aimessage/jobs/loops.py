"""Functions that workers call again and again, each in a thread of its own, as consumers of the event log."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Loop:
    name: str
    #: Must return within a few seconds.
    function: Callable[[], object]
    #: Seconds between two calls.
    every: float = 0.2
    #: Whether only one worker at a time calls it, or all of them. After a restart of the database two workers
    #: may overlap once.
    alone: bool = True
    #: How many seconds it is behind, for /metrics.
    lag: Callable[[], float] | None = None


loops: dict[str, Loop] = {}


def add_loop(loop: Loop) -> None:
    loops[loop.name] = loop
