"""The streams of this process: one thread reads the log for all of them.

A stream begins behind: what it has missed is read page by page, as its client takes it, up to where the
thread is. From then on it is live, and gets its part of each common read.
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
from aimessage.events.wake import Bell
from aimessage.server.metrics import STREAM_LAG, STREAMS_OPEN
from aimessage.server.slots import current_slot
from aimessage.server.streams import Carrier

#: Seconds between two looks at the log.
POLL = 0.1
#: The same where Redis tells of events, and at least, so that many events are read together.
POLL_WHEN_WOKEN, LEAST = 1.0, 0.02
#: Seconds between two looks at sessions, and at how many streams a user has.
CHECK = 2.0
#: Events that one read takes for all streams, and for one that is behind.
LIMIT, LIMIT_BEHIND = 1000, 100
#: Seconds for which an event that is not kept is news.
NEWS = 6

logger = logging.getLogger("aimessage.events")


class Hub:
    """All streams of a process. `open` may be called from any thread; all else happens in the hub's own."""

    def __init__(self) -> None:
        self.process = secrets.token_hex(16)
        self.lock = Lock()
        self.thread: Thread | None = None
        self.arriving: list[Stream] = []
        self.behind: list[Stream] = []
        self.live: list[Stream] = []
        self.position = Position(0)
        self.checked_at = 0.0
        self.bell = Bell()

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
                    self.bell.start()
        self.bell.rung.set()

    # --- The thread ---

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                more = self._tick()
                if self._may_end():
                    return
                pause = 0 if more else max(0.0, self._poll - (time.monotonic() - began))
            except Exception as error:
                if isinstance(error, Error):
                    logger.warning("streams wait for the database: %s", error)
                else:
                    logger.exception("streams: a look at the log failed")
                connection.close()
                self._keep_alive(began)
                pause = 1.0
            if pause and self.bell.is_heard:
                time.sleep(LEAST)
                self.bell.wait(pause)
            else:
                time.sleep(pause)

    @property
    def _poll(self) -> float:
        # Those who have just come wait for the next look.
        return POLL_WHEN_WOKEN if self.bell.is_heard and not (self.arriving or self.behind) else POLL

    def _may_end(self) -> bool:
        """Ends the thread, with its connection, when there is no stream any more."""
        if len(self):
            return False
        # First, since whoever comes afterwards writes it anew.
        Process.objects.filter(pk=self.process).delete()
        connection.close()
        with self.lock:
            if len(self):
                return False
            self.thread = None
        return True

    def _tick(self) -> bool:
        """One look at the log; whether there is more at once."""
        self._drop_closed()
        STREAMS_OPEN.labels(current_slot()).set(len(self))
        # Before the log is read: whoever comes later may have a cursor that is ahead of `position`.
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
            self._catch_up_alone(stream)
        self._show_news()
        for stream in self._all():
            if stream.is_over:
                stream.carrier.end()
        now = time.monotonic()
        if now - self.checked_at >= CHECK:
            self.checked_at = now
            self._check()
        self._keep_alive(now)
        return bool(self.behind) and any(not stream.carrier.pending for stream in self.behind)

    def _admit(self) -> None:
        arriving = [stream for stream in self.arriving if not stream.carrier.closed]
        if arriving:
            register(self.process, arriving)
            # Seldom more than a few at once, and an old one is to end soon.
            self.checked_at = min(self.checked_at, time.monotonic() - CHECK + 1)
        with self.lock:
            self.behind += arriving
            self.arriving = [one for one in self.arriving if not (one.row_id or one.carrier.closed)]

    def _deliver(self, page: Page) -> None:
        """Gives each live stream its part of a common read; one that is too much for it falls behind."""
        parts: dict[int | None, list[Written]] = {}
        try:
            for row, data in written(one for one in show_events(page.rows) if _is_news(one[0])):
                parts.setdefault(row.user_id, []).append((row, data))
        except Error:
            raise
        except Exception:
            # One event that cannot be shown must not stop everybody's: each reads on alone.
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
                self._fall_behind([stream])
            else:
                stream.send(part, cursor)

    def _show_news(self) -> None:
        """Events that came with the bell, and are in no log."""
        while self.bell.news:
            users, event = self.bell.news.popleft()
            data = orjson.dumps(event)
            scope = KINDS[event["type"]].scope
            for stream in self.live:
                if stream.user_id in users and (stream.scopes is None or scope in stream.scopes):
                    stream.carrier.send(frame(event["type"], data))

    def _fall_behind(self, streams: Sequence[Stream]) -> None:
        for stream in streams:
            stream.start = self.position
            self.live.remove(stream)
            self.behind.append(stream)

    def _catch_up_alone(self, stream: Stream) -> None:
        try:
            self._catch_up(stream)
        except Error:
            raise
        except Exception:
            logger.exception("streams: what a stream has missed cannot be shown")
            stream.cut_off("broken")

    def _catch_up(self, stream: Stream) -> None:
        """Reads a page of what `stream` has missed; once there is nothing left up to here, it is live."""
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
            # Where nothing was missed the cursor of now is as good, and younger.
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
        for stream in closed:  # the access log has a stream when it is opened
            seconds = time.monotonic() - stream.opened_at
            cut = f" cut={stream.cut}" if stream.cut else ""
            logger.info("stream ended: user=%s after=%.0fs%s", stream.user_id, seconds, cut)

    def _check(self) -> None:
        """Ends streams whose session has ended, and the oldest of those who have too many."""
        beat(self.process)
        grants: dict[str, set[int]] = {}
        for stream in self._all():
            grants.setdefault(stream.grant[0], set()).add(stream.grant[1])
        holding = {kind: set(CHECKS[kind](ids)) for kind, ids in grants.items()}
        too_many = streams_beyond_limits({stream.user_id for stream in self._all()})
        for stream in self._all():
            kind, number = stream.grant
            stream.is_over = number not in holding[kind]
            if stream.row_id in too_many:
                stream.carrier.end()

    def _keep_alive(self, now: float) -> None:
        for stream in self._all():
            stream.keep_alive(now)


def _is_news(row: EventRow) -> bool:
    return KINDS[row.kind].kept or timezone.now() - row.created_at < timedelta(seconds=NEWS)


def _up_to(page: Page, target: Position) -> tuple[list[EventRow], bool]:
    """What of `page` lies before `target`, and whether that is all of it."""
    if target.since is not None:
        return page.rows, page.end.until is None and page.end.since == target.since
    rows = [row for row in page.rows if row.id <= target.last_id]
    return rows, not page.more or len(rows) < len(page.rows)


#: The streams of this process.
hub = Hub()
