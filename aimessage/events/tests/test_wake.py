"""Streams that a Redis wakes, and a Redis that is gone."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from aimessage.events import streams
from aimessage.events.hub import Hub
from aimessage.events.kinds import KINDS, Kind, stored_data
from aimessage.events.log import record
from aimessage.events.models import Event
from aimessage.events.streams import Stream
from aimessage.events.tests.test_streams import ALICE, BOB, Wire
from aimessage.events.wake import channel
from tests.private_redis import PrivateRedis, private_redis

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis(tmp_path: Path, settings: Settings) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as redis:
        settings.WAKE_URL = redis.url
        yield redis


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """One with a thread of its own, as in a server, that looks by itself every 20 seconds only once it is
    told of events."""
    monkeypatch.setattr("aimessage.events.hub.POLL_WHEN_WOKEN", 20.0)
    monkeypatch.setitem(streams.CHECKS, "session", lambda ids: set(ids))
    monkeypatch.setitem(KINDS, "passing", Kind(stored_data, "messages:read", kept=False))
    hub = Hub()
    wires.clear()
    yield hub
    for wire in wires:
        wire.closed = True
    hub.waker.woken.set()
    until(lambda: hub.thread is None, 30)


wires: list[Wire] = []


def until(true: Callable[[], Any], limit: float = 15.0) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < limit
        time.sleep(0.01)
    return time.monotonic() - began


def opened(hub: Hub, user: int, **more: Any) -> Wire:
    wire = Wire()
    wires.append(wire)
    hub.open(Stream(user, ("session", user), None, **more), wire)
    until(lambda: b"hello" in wire.sent)
    return wire


def kinds(wire: Wire) -> list[tuple[str, Any]]:
    return [(kind, data) for kind, data, _ in wire.events()]


@pytest.mark.postgres
def test_an_event_wakes_the_streams(hub: Hub, redis: PrivateRedis) -> None:
    wire, other = opened(hub, ALICE), opened(hub, BOB)
    until(lambda: hub.waker.is_connected)
    time.sleep(0.3)
    for number in range(5):
        record("test", [ALICE], data=number)
        assert until(lambda number=number: len(wire.events()) == number + 1) < 3

    assert kinds(wire) == [("test", number) for number in range(5)]
    assert other.events() == []


@pytest.mark.postgres
def test_what_cannot_be_read_ends_no_listening(hub: Hub, redis: PrivateRedis) -> None:
    wire = opened(hub, ALICE)
    until(lambda: hub.waker.is_connected)
    for garbage in (b"{", b"[1]", b"[[], {}, 3]", b"\xff"):
        redis.client.publish(channel(), garbage)
        until(lambda: not hub.waker.is_connected)
        until(lambda: hub.waker.is_connected)

    with transaction.atomic():
        record("passing", [ALICE], data={"user_id": BOB})
    until(wire.events)

    assert wire.events() == [("passing", {"user_id": BOB}, "")]


@pytest.mark.postgres
def test_what_nobody_keeps_is_in_no_log(hub: Hub, redis: PrivateRedis) -> None:
    wire, blind, other = opened(hub, ALICE), opened(hub, ALICE, scopes=["profile:read"]), opened(hub, BOB)
    until(lambda: hub.waker.is_connected)
    with transaction.atomic():
        record("passing", [ALICE], data={"user_id": BOB})
        time.sleep(0.2)
        assert wire.events() == []
    until(wire.events)

    assert wire.events() == [("passing", {"user_id": BOB}, "")]
    assert not Event.objects.exists()
    record("test", [ALICE, BOB], data="kept")
    until(other.events)
    assert "passing" not in f"{blind.events()}{other.events()}"


@pytest.mark.postgres
def test_a_redis_that_is_killed_and_comes_back_loses_nothing(hub: Hub, redis: PrivateRedis) -> None:
    wire = opened(hub, ALICE)
    until(lambda: hub.waker.is_connected)
    for number in range(60):
        if number % 20 == 10:
            redis.kill()
        elif number % 20 == 15:
            redis.start()
        record("test", [ALICE], data=number)
        time.sleep(0.02)

    until(lambda: len(wire.events()) == 60, 25)
    assert kinds(wire) == [("test", number) for number in range(60)]


def test_without_redis_what_nobody_keeps_goes_through_the_log(redis: PrivateRedis) -> None:
    redis.kill()
    record("session.ended", [ALICE], data={"session_id": 5})
    kept, KINDS["passing"] = KINDS.get("passing"), Kind(stored_data, None, kept=False)
    try:
        record("passing", [ALICE], data={"user_id": BOB})
    finally:
        KINDS.pop("passing")
    assert kept is None
    assert list(Event.objects.values_list("kind", flat=True)) == ["session.ended", "passing"]
