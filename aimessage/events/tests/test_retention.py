"""How long events are kept, and for whom."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from aimessage.events import log
from aimessage.events.log import record, sweep
from aimessage.events.models import Consumer, Event
from aimessage.events.reading import consume, start_consumer, stop_consumer

pytestmark = pytest.mark.django_db(transaction=True)


def test_old_events_are_deleted_in_batches(monkeypatch: pytest.MonkeyPatch, time_machine: Any) -> None:
    monkeypatch.setattr(log, "BATCH", 4)
    time_machine.move_to(timezone.now() - timedelta(days=3, hours=2))
    for _ in range(10):
        record("test", [1])
    time_machine.shift(timedelta(days=3, hours=1))
    record("test", [1], data="young")
    time_machine.shift(timedelta(hours=1))

    assert sweep(dry_run=True) == {"events": 10}
    assert sweep() == {"events": 10}
    assert [event.data for event in Event.objects.all()] == ["young"]


def test_what_is_not_kept_is_deleted_after_a_minute(time_machine: Any) -> None:
    start = timezone.now()
    time_machine.move_to(start - timedelta(minutes=2), tick=False)
    record("test", [1], data="kept")
    record("typing", [1], data={})
    record("test", [1], data="kept, too")
    time_machine.move_to(start, tick=False)
    record("typing", [1], data={"new": True})

    assert sweep(dry_run=True) == {"events": 1}
    assert sweep() == {"events": 1}
    assert list(Event.objects.order_by("pk").values_list("data", flat=True)) == [
        "kept",
        "kept, too",
        {"new": True},
    ]


def test_what_a_consumer_has_not_read_stays(time_machine: Any, caplog: pytest.LogCaptureFixture) -> None:
    time_machine.move_to(timezone.now() - timedelta(days=9))
    record("test", [1], data="before")
    start_consumer("webhooks")
    record("test", [1], data="unread")
    time_machine.shift(timedelta(days=9))

    assert sweep() == {"events": 1}
    assert [event.data for event in Event.objects.all()] == ["unread"]
    assert "consumer webhooks" in caplog.text

    with consume("webhooks", 10) as page:
        assert page is not None
        assert [row.data for row in page.rows] == ["unread"]
    assert sweep() == {"events": 1}


def test_a_consumer_reads_each_change_once(time_machine: Any) -> None:
    start_consumer("webhooks")
    record("test", [1, 2], data="to two")
    record("test", data="to nobody")

    read = []
    for _ in range(4):
        with consume("webhooks", 1) as page:
            assert page is not None
            read += [(row.data, row.user_id) for row in page.rows]

    assert read == [("to two", 1), ("to nobody", None)]


def test_what_fails_is_read_again() -> None:
    start_consumer("webhooks")
    record("test", [1], data="one")

    def fail() -> None:
        with consume("webhooks", 5):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with consume("webhooks", 5) as page:
        assert page is not None
        assert [row.data for row in page.rows] == ["one"]


def test_without_a_consumer_nothing_is_read() -> None:
    start_consumer("webhooks")
    start_consumer("webhooks")
    assert Consumer.objects.count() == 1
    stop_consumer("webhooks")
    with consume("webhooks", 5) as page:
        assert page is None


def test_what_is_rolled_back_is_no_event() -> None:
    with transaction.atomic():
        record("test", [1])
        transaction.set_rollback(True)
    assert not Event.objects.exists()
