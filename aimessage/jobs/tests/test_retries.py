"""Jobs that try again: when, how often, and what they write about it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django_tasks import TaskResultStatus

from aimessage.jobs.models import Job
from aimessage.jobs.retries import LONGEST_WAIT, GiveUp, TryAgain, parse_retry_after
from aimessage.jobs.running import claim, run, run_due
from aimessage.jobs.tests import tasks
from aimessage.models import ThrottleWindow

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Any]:
    tasks.heard.clear()
    tasks.trouble.clear()
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def go_wrong(*errors: Exception) -> None:
    tasks.trouble["letter"] = list(errors)
    tasks.stubborn.enqueue("letter")


def test_it_runs_again_after_each_pause_until_it_is_done(clock: Any) -> None:
    go_wrong(OSError(), OSError(), OSError())

    pauses = []
    while (job := Job.objects.filter(status=TaskResultStatus.READY).first()) or not pauses:
        before = datetime.now(UTC)
        assert run_due() == 1
        job = Job.objects.get()
        if job.status == TaskResultStatus.READY:
            pauses.append((job.run_after - before).total_seconds())
            clock.move_to(job.run_after - timedelta(milliseconds=1))
            assert run_due() == 0
            clock.move_to(job.run_after)

    assert pauses == [60, 300, 1800]
    job = Job.objects.get()
    assert (job.status, job.return_value, job.failures) == (TaskResultStatus.SUCCESSFUL, "done", 3)
    assert job.traceback == ""


def test_after_the_last_pause_it_has_failed(clock: Any) -> None:
    go_wrong(*[OSError("no route") for _ in range(9)])

    for _ in range(9):
        run_due()
        clock.shift(timedelta(days=1))

    job = Job.objects.get()
    assert (job.status, len(job.worker_ids)) == (TaskResultStatus.FAILED, 4)
    assert "no route" in job.traceback
    assert [bool(next_at) for _, next_at in tasks.heard["letter"]] == [True, True, True, False]


def test_what_cannot_get_better_is_given_up_at_once(clock: Any) -> None:
    go_wrong(GiveUp("no such address"))

    run_due()

    assert Job.objects.get().status == TaskResultStatus.FAILED
    assert tasks.heard["letter"] == [("GiveUp", None)]


@pytest.mark.parametrize(("asked", "waits"), [(None, 60), (5, 60), (90, 90), (10**9, LONGEST_WAIT)])
def test_the_other_side_may_ask_for_a_longer_pause(clock: Any, asked: float | None, waits: float) -> None:
    go_wrong(TryAgain("busy", after=asked))

    run_due()

    assert Job.objects.get().run_after == START + timedelta(seconds=waits)


def test_what_a_try_came_to_is_written_with_the_next_one_or_not_at_all(clock: Any) -> None:
    tasks.cut_off.enqueue("letter")

    run_due()

    assert not ThrottleWindow.objects.exists()
    assert Job.objects.get().status == TaskResultStatus.FAILED


def test_a_try_that_was_taken_away_writes_nothing(clock: Any) -> None:
    go_wrong(OSError())
    job = claim(["mail"], "a.1")
    assert job is not None
    Job.objects.update(started_at=START + timedelta(seconds=1))  # another has it by now

    run(job)

    assert Job.objects.get().status == TaskResultStatus.RUNNING
    assert not ThrottleWindow.objects.exists()


def test_pauses_are_stretched_a_little_so_that_not_all_come_at_once(clock: Any) -> None:
    for _ in range(20):
        tasks.jittery.enqueue()

    run_due()

    waits = {(at - START).total_seconds() for at in Job.objects.values_list("run_after", flat=True)}
    assert len(waits) > 10
    assert min(waits) >= 100
    assert max(waits) <= 110


def test_called_as_a_function_it_just_raises() -> None:
    tasks.trouble["letter"] = [TryAgain("busy")]

    with pytest.raises(TryAgain, match="busy"):
        tasks.stubborn.call("letter")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 5000, LONGEST_WAIT),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
        ("Sun, 01 Mar 2026 12:01:30", 90),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Sun, 99 Mar 2026 12:01:30 GMT", None),
    ],
)
@time_machine.travel(START, tick=False)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds
