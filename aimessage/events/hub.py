"""The streams of this process: one thread reads the log for all of them.

A stream first catches up: the thread reads the events that it has missed page by page, as its client takes
them, up to the thread's own position. From then on it is live, and gets its share of each common read.
"""

import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Lock, Thread

import orjson
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from aimessage.events.cursors import Position, write_cursor
from aimessage.events.kinds import KINDS, EventRow, show_events, show_kept_events
from aimessage.events.limits import beat, register, streams_beyond_limits, unregister
from aimessage.events.models import Process
from aimessage.events.reading import (
    Page,
    current_epoch,
    current_position,
    read_events_of,
    read_user_events,
)
from aimessage.events.streams import (
    CHECKS,
    Stream,
    Written,
    farewell,
    fitting,
    frame,
    written,
)
from aimessage.events.wake import Waker
from aimessage.server.metrics import STREAM_LAG, STREAMS_OPEN
from aimessage.server.slots import current_slot
from aimessage.server.streams import Carrier

#: Seconds between two reads of the log.
POLL = 0.1
#: The same while Redis wakes us, and the shortest pause, so that one read takes many events.
POLL_WHEN_WOKEN, MIN_PAUSE = 1.0, 0.02
#: Seconds between two checks of sessions, and of how many streams a user has.
CHECK = 2.0
#: Events that one read takes for all live streams, and for one that catches up.
LIMIT, LIMIT_BEHIND = 1000, 100
#: Transient events are not sent after this time.
TRANSIENT_LIFETIME = timedelta(seconds=6)

logger = logging.getLogger("aimessage.events")


class Hub:
    """All streams of a process. Any thread may call `open`; everything else runs in the hub's own thread."""

    def __init__(self) -> None:
        self.process = secrets.token_hex(16)
        self.lock = Lock()
        self.thread: Thread | None = None
        self.arriving: list[Stream] = []
        self.behind: list[Stream] = []
        self.live: list[Stream] = []
        self.position = Position(0)
        self.checked_at = 0.0
        self.waker = Waker()

    def __len__(self) -> int:
        return len(self.arriving) + len(self.behind) + len(self.live)

    def open(self, stream: Stream, carrier: Carrier) -> None:
        stream.carrier = carrier
        with self.lock:
            self.arriving.append(stream)
            if self.thread is None:
                self.thread = Thread(target=self._run, name="streams", daemon=True)
                self.thread.start()
                if settings.WAKE_URL:
                    self.waker.start()
        self.waker.woken.set()

    # --- The thread ---

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                more = self._tick()
                if self._stop_if_idle():
                    return
                pause = 0 if more else max(0.0, self._interval - (time.monotonic() - began))
            except Exception as error:
                if isinstance(error, Error):
                    logger.warning("streams wait for the database: %s", error)
                else:
                    logger.exception("streams: a look at the log failed")
                connection.close()
                self._keep_alive(began)
                pause = 1.0
            if pause and self.waker.is_connected:
                time.sleep(MIN_PAUSE)
                self.waker.wait(pause)
            else:
                time.sleep(pause)

    @property
    def _interval(self) -> float:
        # New streams get their first events from the next read.
        is_idle = self.waker.is_connected and not (self.arriving or self.behind)
        return POLL_WHEN_WOKEN if is_idle else POLL

    def _stop_if_idle(self) -> bool:
        if len(self):
            return False
        # Before the lock: a stream that arrives afterwards registers the process again.
        Process.objects.filter(pk=self.process).delete()
        connection.close()
        with self.lock:
            if len(self):
                return False
            self.thread = None
        return True

    def _tick(self) -> bool:
        """Reads the log once. Returns whether there is more to read at once."""
        self._drop_closed()
        STREAMS_OPEN.labels(current_slot()).set(len(self))
        # Before the log is read: the cursor of a stream that arrives later may be ahead of `position`.
        self._admit()
        self.epoch = current_epoch()
        if self.live:
            page = read_events_of({stream.user_id for stream in self.live}, self.position, LIMIT)
            self._deliver(page)
            self.position = page.end
            if page.more:
                return True
        else:
            self.position = current_position()
        for stream in [stream for stream in self.behind if not stream.carrier.pending]:
            self._catch_up_or_cut_off(stream)
        self._send_transient()
        for stream in self._all():
            if stream.is_over:
                stream.carrier.end()
        now = time.monotonic()
        if now - self.checked_at >= CHECK:
            self.checked_at = now
            self._check_grants_and_limits()
        self._keep_alive(now)
        return bool(self.behind) and any(not stream.carrier.pending for stream in self.behind)

    def _admit(self) -> None:
        arriving = [stream for stream in self.arriving if not stream.carrier.closed]
        if arriving:
            register(self.process, arriving)
            # A user's oldest stream may have to end for a new one: check within a second.
            self.checked_at = min(self.checked_at, time.monotonic() - CHECK + 1)
        with self.lock:
            self.behind += arriving
            self.arriving = [one for one in self.arriving if not (one.row_id or one.carrier.closed)]

    def _deliver(self, page: Page) -> None:
        parts: dict[int | None, list[Written]] = {}
        try:
            for row, data in written(shown for shown in show_events(page.rows) if not _is_stale(shown[0])):
                parts.setdefault(row.user_id, []).append((row, data))
        except Error:
            raise
        except Exception:
            # One broken event must not stop all streams. The streams of its users catch up, each by itself.
            logger.exception("streams: events %s cannot be shown", [row.id for row in page.rows])
            concerned = {row.user_id for row in page.rows}
            self._fall_behind([stream for stream in self.live if stream.user_id in concerned])
            return
        now = timezone.now()
        for row in (row for part in parts.values() for row, _ in part):
            STREAM_LAG.observe((now - row.created_at).total_seconds())
        cursor = self._cursor(page.end)
        for stream in [stream for stream in self.live if stream.user_id in parts]:
            part = parts[stream.user_id]
            if len(fitting(part)) < len(part):
                # It continues in smaller pages.
                self._fall_behind([stream])
            else:
                stream.send(part, cursor)

    def _send_transient(self) -> None:
        while self.waker.transient:
            users, event = self.waker.transient.popleft()
            kind, data = event["type"], orjson.dumps(event)
            for stream in self.live:
                if stream.user_id in users and stream.may_read(kind):
                    stream.carrier.send(frame(kind, data))

    def _fall_behind(self, streams: Sequence[Stream]) -> None:
        for stream in streams:
            stream.start = self.position
            self.live.remove(stream)
            self.behind.append(stream)

    def _catch_up_or_cut_off(self, stream: Stream) -> None:
        try:
            self._catch_up(stream)
        except Error:
            raise
        except Exception:
            logger.exception("streams: what a stream has missed cannot be shown")
            stream.cut_off("broken")

    def _catch_up(self, stream: Stream) -> None:
        """Sends a page of what `stream` has missed. Once it has reached `position`, it is live."""
        if stream.start is None:
            stream.start = self.position
        start = stream.start
        if start.since is not None and start.until is None:
            start = replace(start, until=self.position.since)
        page = read_user_events(stream.user_id, start, LIMIT_BEHIND)
        rows, reached = _up_to(page, self.position)
        missed = written(show_kept_events(rows))
        part = fitting(missed)
        end = self.position if reached else page.end
        if len(part) < len(missed):
            reached, end = False, page.after(part[-1][0])
        if not stream.greeted:
            # A stream that missed nothing gets the newest cursor, which expires last.
            begins = end if reached and not missed else stream.start
            greeting = orjson.dumps({"cursor": self._cursor(begins)})
            stream.carrier.send(farewell() + frame(stream.greeting, greeting, self._cursor(begins)))
            stream.greeted = True
        stream.start = end
        stream.send(part, self._cursor(end))
        if reached:
            self.behind.remove(stream)
            self.live.append(stream)

    def _cursor(self, position: Position) -> str:
        return write_cursor(position, self.epoch)

    # --- Ends ---

    def _all(self) -> Iterator[Stream]:
        yield from self.behind
        yield from self.live

    def _drop_closed(self) -> None:
        closed = [stream for stream in self._all() if stream.carrier.closed]
        if closed:
            self.behind = [stream for stream in self.behind if not stream.carrier.closed]
            self.live = [stream for stream in self.live if not stream.carrier.closed]
            unregister(closed)
        for stream in closed:  # the access log has only its beginning
            seconds = time.monotonic() - stream.opened_at
            cut = f" cut={stream.cut}" if stream.cut else ""
            logger.info("stream ended: user=%s after=%.0fs%s", stream.user_id, seconds, cut)

    def _check_grants_and_limits(self) -> None:
        beat(self.process)
        granted: dict[str, set[int]] = {}
        for stream in self._all():
            granted.setdefault(stream.grant[0], set()).add(stream.grant[1])
        valid = {kind: set(CHECKS[kind](ids)) for kind, ids in granted.items()}
        excess = streams_beyond_limits({stream.user_id for stream in self._all()})
        for stream in self._all():
            kind, number = stream.grant
            stream.is_over = number not in valid[kind]
            if stream.row_id in excess:
                stream.carrier.end()

    def _keep_alive(self, now: float) -> None:
        for stream in self._all():
            stream.keep_alive(now)


def _is_stale(row: EventRow) -> bool:
    return not KINDS[row.kind].kept and timezone.now() - row.created_at >= TRANSIENT_LIFETIME


def _up_to(page: Page, target: Position) -> tuple[list[EventRow], bool]:
    """Returns the rows of `page` before `target`, and whether no further page has any."""
    if target.since is not None:
        return page.rows, page.end.until is None and page.end.since == target.since
    rows = [row for row in page.rows if row.id <= target.last_id]
    return rows, not page.more or len(rows) < len(page.rows)


#: The streams of this process.
hub = Hub()
