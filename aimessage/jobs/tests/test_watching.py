"""What /metrics, the doctor and the sweep know of jobs."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from aimessage.jobs import gauges, loops
from aimessage.jobs.loops import Loop, add_loop
from aimessage.jobs.models import Job
from aimessage.jobs.running import claim, run_due
from aimessage.jobs.tests import tasks
from operations.maintenance.doctor import routine
from operations.maintenance.doctor.findings import Level

pytestmark = pytest.mark.django_db


def test_jobs_are_counted_by_queue_and_status(settings: Settings) -> None:
    tasks.add.enqueue(1, 2)
    tasks.break_down.enqueue()
    run_due()
    tasks.add.using(queue_name="mail").enqueue(1, 2)
    tasks.add.using(queue_name="webhooks").enqueue(1, 2)
    claim(["webhooks"], "a.1")

    counts = gauges.count_jobs()

    assert {key for key, count in counts.items() if count} == {
        ("default", "SUCCESSFUL"),
        ("default", "FAILED"),
        ("mail", "READY"),
        ("webhooks", "RUNNING"),
    }
    assert len(counts) == 4 * len(settings.JOB_QUEUES)


def test_the_oldest_job_that_is_due() -> None:
    now = timezone.now()
    assert gauges.find_oldest_due() == {}
    tasks.add.using(run_after=now + timedelta(hours=1)).enqueue(1, 2)
    assert gauges.find_oldest_due() == {}

    tasks.add.enqueue(1, 2)
    tasks.add.using(run_after=now - timedelta(hours=1)).enqueue(1, 2)  # enqueued for then
    old = tasks.add.using(queue_name="mail").enqueue(1, 2)
    Job.objects.filter(pk=old.id).update(enqueued_at=now - timedelta(minutes=7))

    due = gauges.oldest_due()
    assert due["default"] == now - timedelta(hours=1)
    assert due["mail"] == now - timedelta(minutes=7)


def test_consumers_say_how_far_they_are_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "loops", loops.loops.copy())
    monkeypatch.setattr(gauges, "loops", loops.loops)
    add_loop(Loop("webhooks", print, lag=lambda: 3.5))
    add_loop(Loop("quiet", print))

    lags = gauges.find_lags()

    assert lags["webhooks",] == 3.5
    assert ("quiet",) not in lags


@pytest.mark.parametrize(
    ("workers", "minutes", "level", "says"),
    [
        (0, 0, Level.WARNING, "Nobody runs jobs"),
        (1, 0, Level.OK, "1 worker(s)"),
        (1, 4, Level.OK, "1 worker(s)"),
        (2, 6, Level.WARNING, "mail has been due for 6 minutes"),
    ],
)
def test_the_doctor_says_when_nobody_works(
    monkeypatch: pytest.MonkeyPatch, workers: int, minutes: int, level: Level, says: str
) -> None:
    monkeypatch.setattr(routine, "count_workers", lambda: workers)
    if minutes:
        tasks.add.using(queue_name="mail").enqueue(1, 2)
        Job.objects.update(enqueued_at=timezone.now() - timedelta(minutes=minutes))

    finding = routine.jobs()

    assert (finding.level, says in finding.found) == (level, True)


def test_the_sweep_takes_what_is_done_and_leaves_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    ages = {"SUCCESSFUL": [0.9, 1.1], "FAILED": [29, 31], "READY": [99], "RUNNING": [99]}
    for status, days in ages.items():
        for age in days:
            job = tasks.add.enqueue(1, 2)
            at = timezone.now() - timedelta(days=age)
            finished = at if status in {"SUCCESSFUL", "FAILED"} else None
            Job.objects.filter(pk=job.id).update(status=status, enqueued_at=at, finished_at=finished)

    call_command("sweep", dry_run=True)
    assert "2 finished jobs would be deleted" in capsys.readouterr().out
    call_command("sweep")

    assert "2 finished jobs deleted" in capsys.readouterr().out
    assert sorted(Job.objects.values_list("status", flat=True)) == sorted(ages)


def test_the_nightly_sweep_is_a_job() -> None:
    from aimessage.jobs.clock import _registered

    name = "maintenance.sweep"
    assert _registered[name].every == timedelta(days=1)
    _registered[name].task.enqueue()

    run_due()

    assert Job.objects.get().status == "SUCCESSFUL"
