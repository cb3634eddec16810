"""One stream: its user, how long it lasts, and how events are written to it."""

import random
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import orjson

from aimessage.api.problems import Reason
from aimessage.events.cursors import Position
from aimessage.events.kinds import KINDS, EventRow, ShownEvent
from aimessage.server.metrics import STREAMS_CUT
from aimessage.server.streams import Carrier

#: Seconds between two comments, which show proxies and clients that the stream is alive.
KEEP_ALIVE = 15.0
#: Seconds after which a stream ends, varied by a tenth so that streams do not all end at once.
LIFETIME = 30 * 60
#: A client with more unread bytes than this is cut off. It can resume.
MAX_PENDING = 256 * 1024
#: Milliseconds until clients reconnect, drawn for each one so that they do not all come at once.
RETRY = (500, 5000)

SESSION_ENDED = "session.ended"
TICKET_INVALID = Reason("Ticket is invalid or expired", "invalid_token")

#: By kind of grant, such as "session": takes ids of grants, and returns those that are still valid.
CHECKS: dict[str, Callable[[Collection[int]], Collection[int]]] = {}

#: A row of the log, and its event as JSON.
Written = tuple[EventRow, bytes]


@dataclass(eq=False)
class Stream:
    user_id: int
    #: What authorised it, such as ("session", 5). The stream ends with it.
    grant: tuple[str, int]
    #: Where it continues; None: from now on.
    start: Position | None
    #: Its first event: `hello`, or `reset` if the client's cursor cannot be used any more.
    greeting: str = "hello"
    #: The scopes of a personal token; None for a session, which may read everything.
    scopes: Collection[str] | None = None
    row_id: int = 0
    greeted: bool = False
    #: Whether its grant has ended. It gets one more read, with the `session.ended` event, and then ends.
    is_over: bool = False
    opened_at: float = field(default_factory=time.monotonic)
    ends_at: float = field(default_factory=lambda: time.monotonic() + LIFETIME * random.uniform(0.9, 1.1))  # noqa: S311
    keep_alive_at: float = field(default_factory=lambda: time.monotonic() + KEEP_ALIVE)
    #: Bytes that the client had taken at the last keep-alive, if some were still pending then.
    stuck_at: int | None = None
    #: Why it was cut off, as a word.
    cut: str = ""
    carrier: Carrier = field(init=False)

    def may_read(self, kind: str) -> bool:
        return self.scopes is None or KINDS[kind].scope in self.scopes

    def send(self, part: Sequence[Written], cursor: str) -> None:
        """Sends the events of `part` that its token may read; `cursor` is the position after all of it."""
        readable = [(row, data) for row, data in part if self.may_read(row.kind)]
        # Only the last kept event carries a cursor: it stands for everything up to it.
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
    identity = f"id: {cursor}\n" if cursor else ""
    return f"event: {kind}\n{identity}data: ".encode() + data + b"\n\n"


def farewell() -> bytes:
    return b"retry: %d\n\n" % random.randint(*RETRY)  # noqa: S311  no secret


def written(shown: Iterable[tuple[EventRow, ShownEvent]]) -> list[Written]:
    return [(row, orjson.dumps(event, option=orjson.OPT_UTC_Z)) for row, event in shown]


def fitting(part: list[Written]) -> list[Written]:
    sizes = accumulate(len(data) for _, data in part)
    # At least one event, however large it is.
    return [one for one, size in zip(part, sizes, strict=True) if size <= MAX_PENDING // 2] or part[:1]
