"""One job: enqueued with its transaction, run, and put back when its worker is gone."""

from collections.abc import Iterable

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django_tasks import TaskResultStatus
from django_tasks.exceptions import InvalidTaskError

from aimessage.jobs.models import MAX_DEATHS, Job
from aimessage.jobs.running import Reaper, claim, run, run_due
from aimessage.jobs.tests import tasks
from conftest import ApiClient

pytestmark = pytest.mark.django_db

User = get_user_model()
READY, RUNNING, FAILED, SUCCESSFUL = (
    TaskResultStatus.READY,
    TaskResultStatus.RUNNING,
    TaskResultStatus.FAILED,
    TaskResultStatus.SUCCESSFUL,
)


class SomeLive:
    """Locks of which the named ones are held."""

    def __init__(self, *workers: str) -> None:
        self.live = {f"worker.{name}" for name in workers}

    def take(self, name: str) -> bool:
        return True

    def held(self, names: Iterable[str]) -> set[str]:
        return self.live & set(names)

    def release(self) -> None:
        pass


def test_a_job_runs_and_keeps_what_it_returned() -> None:
    tasks.add.enqueue(2, second=3)

    assert run_due() == 1

    job = Job.objects.get()
    assert (job.status, job.return_value, job.worker_ids) == (SUCCESSFUL, 5, ["here"])
    assert run_due() == 0


def test_a_transaction_that_rolls_back_takes_its_jobs_along() -> None:
    with transaction.atomic():
        tasks.add.enqueue(1, 2)
        transaction.set_rollback(True)

    assert run_due() == 0


@pytest.mark.parametrize(
    "argument", ["a text of somebody's", "a\n", "", "x" * 101, 1.5, ["1"], {"id": 1}, "é"]
)
def test_arguments_that_are_no_ids_are_refused(argument: object) -> None:
    with pytest.raises(TypeError, match="ids"):
        tasks.add.enqueue(argument, 1)
    with pytest.raises(TypeError, match="ids"):
        tasks.add.enqueue(1, second=argument)

    assert not Job.objects.exists()


def test_a_queue_that_nobody_works_is_refused() -> None:
    with pytest.raises(InvalidTaskError):
        tasks.add.using(queue_name="nowhere").enqueue(1, 2)


def test_a_job_that_breaks_keeps_the_traceback() -> None:
    tasks.break_down.enqueue()

    run_due()

    job = Job.objects.get()
    assert (job.status, job.exception_class_path) == (FAILED, "builtins.ValueError")
    assert "it broke" in job.traceback
    assert job.finished_at is not None


def test_a_function_that_is_gone_fails_its_job_alone() -> None:
    tasks.add.enqueue(1, 2)
    Job.objects.update(task_path="aimessage.jobs.tests.tasks.gone")
    tasks.add.enqueue(1, 2)

    assert run_due() == 2

    assert set(Job.objects.values_list("status", flat=True)) == {FAILED, SUCCESSFUL}
    assert Job.objects.get(status=FAILED).exception_class_path == "builtins.ImportError"


def test_only_the_queues_that_are_asked_for_are_served() -> None:
    tasks.add.enqueue(1, 2)
    tasks.add.using(queue_name="mail").enqueue(1, 2)

    assert run_due("mail") == 1
    assert Job.objects.get(status=READY).queue_name == "default"


def test_a_job_that_lost_the_database_runs_again_later_and_not_for_ever() -> None:
    tasks.lose_the_database.enqueue()

    for number in range(1, MAX_DEATHS):
        assert run_due() == 1
        job = Job.objects.get()
        assert (job.status, job.deaths, job.failures) == (READY, number, 0)
        assert run_due() == 0  # it waits
        Job.objects.update(run_after=job.enqueued_at)

    assert run_due() == 1
    assert Job.objects.get().status == FAILED


# --- The reaper ---


def started(worker: str) -> Job:
    tasks.add.enqueue(1, 2)
    job = claim(["default"], worker)
    assert job is not None
    return job


def test_a_job_whose_worker_is_gone_is_ready_again() -> None:
    dead, live = started("a.1"), started("b.2")

    assert Reaper(SomeLive("b.2"), "c.3").reap([]) == 1

    dead.refresh_from_db()
    live.refresh_from_db()
    assert (dead.status, live.status) == (READY, RUNNING)
    assert dead.worker_ids == ["a.1 died"]


def test_nobody_is_missed_while_the_locks_may_be_gone() -> None:
    started("a.1")

    assert Reaper(SomeLive(), "c.3").reap([], others=False) == 0


def test_a_job_that_kills_its_workers_fails_at_last() -> None:
    tasks.add.enqueue(1, 2)
    for _ in range(MAX_DEATHS):
        assert claim(["default"], "a.1")
        Reaper(SomeLive(), "b.2").reap([])

    job = Job.objects.get()
    assert job.status == FAILED
    assert "workers ended" in job.traceback
    assert job.finished_at is not None


def test_a_job_that_its_own_worker_lost_sight_of_is_ready_again_after_two_rounds() -> None:
    mine, lost = started("me"), started("me")
    reaper = Reaper(SomeLive("me"), "me")

    assert reaper.reap([mine.pk]) == 0
    assert reaper.reap([mine.pk]) == 1

    lost.refresh_from_db()
    assert lost.status == READY


def test_a_worker_that_comes_back_late_undoes_nothing() -> None:
    late = started("a.1")
    Reaper(SomeLive(), "b.2").reap([])
    again = claim(["default"], "b.2")
    assert again is not None

    run(late)

    again.refresh_from_db()
    assert (again.status, again.worker) == (RUNNING, "b.2")


def test_sending_a_message_enqueues_nothing(as_user: ApiClient, alice: User, bob: User) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"})

    assert answer.status_code == 201
    assert not Job.objects.exists()
