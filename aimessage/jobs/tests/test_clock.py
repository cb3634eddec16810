"""Periodic work: once a period, whoever looks."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from aimessage.jobs import clock
from aimessage.jobs.clock import Clock, periodically
from aimessage.jobs.models import Job, Tick
from aimessage.jobs.tests import tasks

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_registered", {})
    periodically("nightly", timedelta(days=1), tasks.tick, at=timedelta(hours=4))


def test_of_several_workers_one_enqueues_it_once_a_period() -> None:
    workers = [Clock() for _ in range(3)]
    enqueued = []
    with time_machine.travel(NOON, tick=False) as now:
        for _ in range(72):
            for worker in workers:
                enqueued += [datetime.now(UTC) for _ in worker.tick()]
            now.shift(timedelta(hours=1))

    # At once where it never ran, and then each day at four.
    assert enqueued == [NOON] + [datetime(2026, 3, day, 4, tzinfo=UTC) for day in (2, 3, 4)]
    assert Job.objects.count() == 4
    assert Tick.objects.count() == 1


def test_a_worker_that_starts_anew_does_not_repeat_it() -> None:
    with time_machine.travel(NOON, tick=False):
        assert Clock().tick() == ["nightly"]
        assert Clock().tick() == []


def test_periods_that_nobody_saw_are_made_up_for_by_one_run() -> None:
    with time_machine.travel(NOON, tick=False) as now:
        worker = Clock()
        worker.tick()
        now.shift(timedelta(days=9))
        assert worker.tick() == ["nightly"]
        assert worker.tick() == []


def test_a_clock_that_is_behind_repeats_nothing() -> None:
    with time_machine.travel(NOON, tick=False) as now:
        Clock().tick()
        now.shift(timedelta(days=-2))
        assert Clock().tick() == []
