"""One stream: whose it is, how long it lasts, and how events are written to it."""

import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import orjson

from aimessage.api.problems import Reason
from aimessage.events.cursors import Position
from aimessage.events.kinds import KINDS, EventRow
from aimessage.server.metrics import STREAMS_CUT
from aimessage.server.streams import Carrier

#: Seconds between two comments, which tell proxies and clients that the stream is alive.
KEEP_ALIVE = 15.0
#: Seconds after which a stream ends, give or take a tenth, so that not all end at once.
LIFETIME = 30 * 60
#: Bytes that wait for a reader, beyond which it is cut off. It can resume.
MAX_PENDING = 256 * 1024
#: Milliseconds after which clients come back, drawn anew for each, so that not all do at once.
RETRY = (500, 5000)

SESSION_ENDED = "session.ended"
TICKET_INVALID = Reason("Ticket is invalid or expired", "invalid_token")

#: By kind of grant, such as "session": of these ids, those that still hold.
CHECKS: dict[str, Callable[[Collection[int]], Collection[int]]] = {}

#: An event's row, and the event as JSON.
Written = tuple[EventRow, bytes]


@dataclass(eq=False)
class Stream:
    user_id: int
    #: What it was opened with, as ("session", 5); the stream ends when that does.
    grant: tuple[str, int]
    #: From where it goes on; None: from now.
    start: Position | None
    #: What it says first: `hello`, or `reset` where the client's cursor is of no use any more.
    greeting: str = "hello"
    #: The scopes of a personal token; None: it may read everything.
    scopes: Collection[str] | None = None
    row_id: int = 0
    greeted: bool = False
    #: Whether its grant is over: it gets one more read, which has the `session.ended`, and ends.
    is_over: bool = False
    opened_at: float = field(default_factory=time.monotonic)
    ends_at: float = field(default_factory=lambda: time.monotonic() + LIFETIME * random.uniform(0.9, 1.1))  # noqa: S311
    keep_alive_at: float = field(default_factory=lambda: time.monotonic() + KEEP_ALIVE)
    #: What its client had taken at the last keep-alive, where more was waiting; else None.
    stuck_at: int | None = None
    #: Why it was cut off; empty where it was not.
    cut: str = ""
    carrier: Carrier = field(init=False)

    def may_read(self, row: EventRow) -> bool:
        return self.scopes is None or KINDS[row.kind].scope in self.scopes

    def send(self, part: Sequence[Written], cursor: str) -> None:
        """Sends what `stream` may read; the last event that is kept has the cursor after all of them."""
        readable = [(row, data) for row, data in part if self.may_read(row)]
        last = max((row.id for row, _ in readable if KINDS[row.kind].kept), default=None)
        frames = [frame(row.kind, data, cursor if row.id == last else "") for row, data in readable]
        if frames:
            self.carrier.send(b"".join(frames))
        ended = {row.data["session_id"] for row, _ in readable if row.kind == SESSION_ENDED}
        if self.grant[0] == "session" and self.grant[1] in ended:
            self.carrier.end()
        elif self.carrier.pending > MAX_PENDING:
            self.cut_off("slow")

    def keep_alive(self, now: float) -> None:
        if now >= self.ends_at:
            self.carrier.end(farewell())
        elif now >= self.keep_alive_at:
            self.keep_alive_at = now + KEEP_ALIVE
            stuck_at, self.stuck_at = self.stuck_at, None
            if not self.carrier.pending:
                self.carrier.send(b":\n\n")
            elif self.carrier.taken == stuck_at:
                self.cut_off("stuck")
            else:
                self.stuck_at = self.carrier.taken

    def cut_off(self, reason: str) -> None:
        STREAMS_CUT.labels(reason).inc()
        self.cut = reason
        self.carrier.cut()


def frame(kind: str, data: bytes, cursor: str = "") -> bytes:
    """One event of `text/event-stream`."""
    identity = f"id: {cursor}\n" if cursor else ""
    return f"event: {kind}\n{identity}data: ".encode() + data + b"\n\n"


def farewell() -> bytes:
    """When to come back."""
    return b"retry: %d\n\n" % random.randint(*RETRY)  # noqa: S311  no secret


def written(shown: Iterable[tuple[EventRow, Any]]) -> list[Written]:
    return [(row, orjson.dumps(event, option=orjson.OPT_UTC_Z)) for row, event in shown]


def fitting(part: list[Written]) -> list[Written]:
    """As much of `part` as a stream takes at once, and at least one event."""
    sizes = accumulate(len(data) for _, data in part)
    return [one for one, size in zip(part, sizes, strict=True) if size <= MAX_PENDING // 2] or part[:1]
