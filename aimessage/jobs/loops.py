"""What workers do all the time, each in a thread of its own, as the consumers of a log do."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Loop:
    name: str
    #: Called again and again; returns within a few seconds.
    function: Callable[[], object]
    #: Seconds between two calls.
    every: float = 0.2
    #: Whether one worker does it at a time, or all of them.
    alone: bool = True
    #: Seconds that it is behind, for /metrics.
    lag: Callable[[], float] | None = None


loops: dict[str, Loop] = {}


def add_loop(loop: Loop) -> None:
    """For an app's `apps.py`. After a database restart two workers may call one at the same time, once."""
    loops[loop.name] = loop
