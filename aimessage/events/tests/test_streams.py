"""What the streams of a process say, without a server: the hub's looks at the log, one by one."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from aimessage.events import streams
from aimessage.events.hub import LIMIT_BEHIND, Hub
from aimessage.events.kinds import KINDS, Kind
from aimessage.events.limits import beat
from aimessage.events.log import record
from aimessage.events.models import OpenStream, Process
from aimessage.events.reading import current_position, from_cursor, to_cursor
from aimessage.events.streams import Stream

pytestmark = pytest.mark.django_db(transaction=True)

ALICE, BOB = 1, 2


class Wire:
    """A carrier that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.pending = 0
        self.taken = 0
        self.closed = False
        self.limit = 10**9

    def send(self, data: bytes) -> None:
        assert len(data) <= self.limit
        self.sent += data

    def end(self, data: bytes = b"") -> None:
        self.sent += data
        self.closed = True

    def cut(self) -> None:
        self.closed = True

    @property
    def frames(self) -> list[dict[str, str]]:
        blocks = self.sent.decode().split("\n\n")
        return [dict(line.split(": ", 1) for line in block.split("\n") if ": " in line) for block in blocks]

    def events(self) -> list[tuple[str, Any, str]]:
        """Type, data and `id:` of each event after the greeting."""
        found = [frame for frame in self.frames if "event" in frame]
        shown = [(frame["event"], json.loads(frame["data"]), frame.get("id", "")) for frame in found]
        return [
            (kind, data["data"], identity) for kind, data, identity in shown if kind not in ("hello", "reset")
        ]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub whose looks the test does itself, and whose sessions all live but for those in `dead`."""
    made = Hub()
    made.thread = object()  # type: ignore[assignment]  # so that it starts none
    made.dead = set()  # type: ignore[attr-defined]
    monkeypatch.setitem(streams.CHECKS, "session", lambda ids: set(ids) - made.dead)  # type: ignore[attr-defined]
    return made


def opened(hub: Hub, user: int = ALICE, *, session: int = 1, start: str | None = None, **more: Any) -> Wire:
    position = from_cursor(start) if start else None
    wire = Wire()
    hub.open(Stream(user, ("session", session), position, **more), wire)
    return wire


def look(hub: Hub) -> None:
    while hub._tick():
        pass


def test_begins_with_hello_and_a_cursor(hub: Hub) -> None:
    record("test", [ALICE], data="before")
    wire = opened(hub)
    look(hub)

    retry, hello, rest = wire.frames
    assert 500 <= int(retry["retry"]) <= 5000
    assert hello["event"] == "hello"
    assert json.loads(hello["data"]) == {"cursor": hello["id"]}
    assert rest == {}
    from_cursor(hello["id"])


def test_sends_what_happens_to_whom_it_concerns(hub: Hub) -> None:
    alice, bob = opened(hub, ALICE), opened(hub, BOB, session=2)
    look(hub)
    record("test", [ALICE, BOB], data="both")
    record("test", [ALICE], data="alice")
    look(hub)
    record("test", [ALICE], data="later")
    look(hub)

    assert [data for _, data, _ in alice.events()] == ["both", "alice", "later"]
    assert [data for _, data, _ in bob.events()] == ["both"]
    # The cursor comes with the last of what was read together.
    assert [bool(cursor) for _, _, cursor in alice.events()] == [False, True, True]


def test_goes_on_after_the_cursor_without_loss_or_repeat(hub: Hub) -> None:
    start = to_cursor(current_position())
    for number in range(250):
        record("test", [ALICE], data=number)
    wire = opened(hub, start=start)
    look(hub)
    record("test", [ALICE], data=250)
    look(hub)

    assert [data for _, data, _ in wire.events()] == list(range(251))

    cursors = [(number, cursor) for number, (_, _, cursor) in enumerate(wire.events()) if cursor]
    assert len(cursors) >= 3
    for number, cursor in cursors:
        again = opened(hub, start=cursor)
        look(hub)
        assert [data for _, data, _ in again.events()] == list(range(number + 1, 251))


def test_a_stream_that_missed_nothing_begins_with_a_young_cursor(hub: Hub) -> None:
    start = to_cursor(current_position())
    record("test", [BOB], data="not for alice")
    wire = opened(hub, start=start)
    look(hub)
    assert wire.frames[1]["id"] != start

    record("test", [ALICE], data="missed")
    behind = opened(hub, start=start, session=3)
    look(hub)
    assert behind.frames[1]["id"] == start


def test_who_does_not_read_what_was_missed_gets_no_more_of_it(hub: Hub) -> None:
    start = to_cursor(current_position())
    for number in range(250):
        record("test", [ALICE], data=number)
    wire = opened(hub, start=start)
    hub._tick()
    wire.pending = 10
    for _ in range(3):
        hub._tick()
    assert len(wire.events()) == LIMIT_BEHIND

    wire.pending = 0
    look(hub)
    assert [data for _, data, _ in wire.events()] == list(range(250))


def test_more_than_one_read_takes_comes_in_several(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimessage.events.hub.LIMIT", 7)
    wire = opened(hub)
    look(hub)
    for number in range(30):
        record("test", [ALICE, BOB], data=number)
    late = opened(hub, session=2, start=wire.frames[1]["id"])
    look(hub)

    for one in (wire, late):
        assert [data for _, data, _ in one.events()] == list(range(30))
    for number, (_, _, cursor) in enumerate(wire.events()):
        if cursor:
            again = opened(hub, start=cursor)
            look(hub)
            assert [data for _, data, _ in again.events()] == list(range(number + 1, 30))


def test_large_texts_come_in_parts(hub: Hub) -> None:
    start = to_cursor(current_position())
    live = opened(hub, session=1)
    look(hub)
    for number in range(20):
        record("test", [ALICE], data=str(number) * 20_000)
    late = opened(hub, session=2, start=start)
    for wire in (live, late):
        wire.limit = streams.MAX_PENDING
    look(hub)
    for wire in (live, late):
        assert [len(data) for _, data, _ in wire.events()] == [20_000] * 10 + [40_000] * 10


def test_news_that_is_not_kept_has_no_cursor(hub: Hub, time_machine: Any) -> None:
    start = to_cursor(current_position())
    wire = opened(hub)
    look(hub)
    record("test", [ALICE], data="kept")
    record("typing", [ALICE], data={"user_id": BOB})
    look(hub)
    assert [(kind, bool(cursor)) for kind, _, cursor in wire.events()] == [("test", True), ("typing", False)]

    late = opened(hub, start=start)
    look(hub)
    assert [kind for kind, _, _ in late.events()] == ["test"]


def test_ends_with_its_session(hub: Hub) -> None:
    mine, other = opened(hub, session=1), opened(hub, session=2)
    look(hub)
    record("session.ended", [ALICE], data={"session_id": 1, "reason": "logout"})
    look(hub)
    assert mine.closed
    assert not other.closed
    assert [kind for kind, _, _ in mine.events()] == ["session.ended"]

    hub.dead.add(2)  # type: ignore[attr-defined]
    hub.checked_at = 0
    look(hub)
    look(hub)
    assert other.closed


def test_the_oldest_of_too_many_end(hub: Hub) -> None:
    other = Hub()
    beat(other.process)
    first = opened(hub)
    look(hub)
    OpenStream.objects.bulk_create(
        [OpenStream(process_id=other.process, user_id=ALICE, grant="session 1") for _ in range(4)]
    )
    look(hub)
    assert not first.closed

    OpenStream.objects.create(process_id=other.process, user_id=ALICE, grant="session 1")
    hub.checked_at = 0
    look(hub)
    assert first.closed


def test_a_user_has_twenty_over_all_sessions(hub: Hub) -> None:
    wires = [opened(hub, session=number // 5) for number in range(22)]
    look(hub)
    hub.checked_at = 0
    look(hub)
    assert [wire.closed for wire in wires] == [True] * 2 + [False] * 20


def test_streams_of_a_process_that_is_gone_do_not_count(hub: Hub, time_machine: Any) -> None:
    Process.objects.create(pk="gone", seen_at="2026-01-01T00:00:00Z")
    OpenStream.objects.bulk_create(
        [OpenStream(process_id="gone", user_id=ALICE, grant="session 1") for _ in range(9)]
    )
    first = opened(hub)
    look(hub)
    hub.checked_at = 0
    look(hub)
    assert not first.closed
    assert OpenStream.objects.count() == 1


def test_closed_streams_leave_nothing(hub: Hub) -> None:
    wire = opened(hub)
    look(hub)
    wire.closed = True
    look(hub)
    assert len(hub) == 0
    assert not OpenStream.objects.exists()


def test_who_does_not_read_is_cut_off(hub: Hub) -> None:
    slow, stuck, reading, busy = (opened(hub, session=number) for number in range(4))
    look(hub)
    slow.pending = streams.MAX_PENDING + 1
    record("test", [ALICE], data="more")
    look(hub)
    assert (slow.closed, stuck.closed, reading.closed) == (True, False, False)

    stuck.pending = busy.pending = 100
    for _ in range(2):
        busy.taken += 100  # and as much was sent since
        for stream in hub.live:
            stream.keep_alive_at = 0
        look(hub)
    assert (stuck.closed, reading.closed, busy.closed) == (True, False, False)
    assert reading.sent.count(b":\n\n") == 2


def test_the_end_of_a_session_comes_after_the_event_that_says_so(hub: Hub) -> None:
    """Even where the session's end was committed after the log was read, and before sessions were."""
    wire = opened(hub)
    look(hub)
    hub.dead.add(1)  # type: ignore[attr-defined]
    hub.checked_at = 0
    look(hub)
    assert not wire.closed
    record("session.ended", [ALICE], data={"session_id": 1, "reason": "logout"})
    look(hub)
    assert wire.closed
    assert [kind for kind, _, _ in wire.events()] == ["session.ended"]


def test_a_cursor_ahead_of_the_common_read_repeats_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client got it from another process, after this one had read the log, and comes at once."""
    opened(hub, BOB)
    look(hub)
    late: list[Wire] = []

    def deliver(page: Any) -> None:
        record("test", [ALICE], data="seen already")
        late.append(opened(hub, start=to_cursor(current_position())))

    with monkeypatch.context() as patch:
        patch.setattr(hub, "_deliver", deliver)
        hub._tick()
    record("test", [ALICE], data="new")
    look(hub)
    record("test", [ALICE], data="newer")
    look(hub)
    assert [data for _, data, _ in late[0].events()] == ["new", "newer"]


def test_an_event_that_cannot_be_shown_stops_nobody_else(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rows: Any) -> dict[int, Any]:
        raise ValueError

    monkeypatch.setitem(KINDS, "broken", Kind(fail, None))
    alice, bob = opened(hub, ALICE), opened(hub, BOB, session=2)
    look(hub)
    record("broken", [ALICE])
    record("test", [ALICE, BOB], data="later")
    look(hub)
    assert alice.closed
    record("test", [BOB], data="last")
    look(hub)
    assert [data for _, data, _ in bob.events()] == ["later", "last"]


def test_streams_stay_alive_while_the_database_does_not_answer(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = opened(hub)
    look(hub)
    (stream,) = hub.live
    stream.keep_alive_at = 0
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            wire.closed = True
            patch.undo()

    with monkeypatch.context() as patch:
        patch.setattr("aimessage.events.hub.read_events_of", failing)
        patch.setattr(time, "sleep", nap)
        hub._run()
    assert wire.sent.endswith(b":\n\n")
    assert naps == [1.0, 1.0]


def failing(*arguments: Any) -> Any:
    raise OperationalError("server closed the connection unexpectedly")


def test_the_thread_ends_with_the_last_stream_and_begins_with_the_next(hub: Hub) -> None:
    wire = opened(hub)
    look(hub)
    wire.closed = True
    hub._run()
    assert hub.thread is None
    assert not Process.objects.exists()
    hub.thread = object()  # type: ignore[assignment]
    again = opened(hub)
    look(hub)
    assert again.frames[1]["event"] == "hello"
    assert OpenStream.objects.count() == 1


def test_ends_after_half_an_hour(hub: Hub) -> None:
    wire = opened(hub)
    look(hub)
    (stream,) = hub.live
    assert 27 * 60 - 5 < stream.ends_at - stream.keep_alive_at + 15 < 33 * 60 + 5
    stream.ends_at = 0
    look(hub)
    assert wire.closed
    assert b"retry: " in wire.sent.split(b"hello")[1]


def test_a_personal_token_reads_what_its_scopes_cover(hub: Hub) -> None:
    wire = opened(hub, scopes={"messages:read"})
    look(hub)
    record("test", [ALICE], data="no scope covers it")
    record("conversation.read", [ALICE], data={"reader_id": 1})
    look(hub)
    assert [kind for kind, _, _ in wire.events()] == ["conversation.read"]
