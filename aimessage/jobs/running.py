"""Claims a job, runs it, records its outcome, and puts it back if its worker dies."""

import logging
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks.signals import task_finished, task_started
from django_tasks.utils import normalize_json
from django_tasks_db.compat import TaskContext
from django_tasks_db.models import DBTaskResult

from aimessage.jobs.locks import Locks, worker_lock
from aimessage.jobs.models import Job
from aimessage.jobs.retries import error_columns, running
from aimessage.server.logs import request_id

#: The order of the library's index for claiming. Job.Meta.ordering is for the admin.
ORDER = list(DBTaskResult._meta.ordering or ())
#: Seconds until a job that lost the database runs again; doubled each time.
DATABASE_PAUSE = 5
logger = logging.getLogger("aimessage.jobs")


class WorkerDied(Exception):
    """Only its path is used: it stands in a job's row as the class of its error."""


def queues_with_work() -> set[str]:
    return set(Job.objects.ready().order_by().values_list("queue_name", flat=True).distinct())


def claim(queues: Sequence[str], worker: str, *, key: str | None = None) -> Job | None:
    """Claims the next due job of these queues for `worker`; with `key`, only the job of that primary key."""
    with transaction.atomic():
        due = Job.objects.ready().filter(queue_name__in=queues).order_by(*ORDER)
        if key is not None:
            due = due.filter(pk=key)
        job = due.get_locked()
        if not isinstance(job, Job):
            return None
        job.claim(worker)
    return job


def run(job: Job) -> None:
    """Runs a claimed job and records its outcome.

    Raises DatabaseError if the outcome cannot be written; the reaper then puts the job back.
    """
    token = request_id.set(f"job-{job.pk}")
    try:
        with running(job):
            _run(job)
    finally:
        request_id.reset(token)


def _run(job: Job) -> None:
    backend = None
    try:
        task, result = job.task, job.task_result
        backend = type(task.get_backend())
        task_started.send_robust(sender=backend, task_result=result)
        args = [TaskContext(task_result=result), *result.args] if task.takes_context else result.args
        value = normalize_json(task.call(*args, **result.kwargs))
    except (OperationalError, InterfaceError):
        # Usually the fault of the database and not of the job, so it does not fail.
        logger.warning("%s lost the database", job, exc_info=True)
        pause = timedelta(seconds=DATABASE_PAUSE * 2**job.deaths)
        job.worker_died(again_at=timezone.now() + pause)
    except BaseException as error:
        logger.error("%s failed", job, exc_info=True)
        now = timezone.now()
        ours = job.write(
            status=TaskResultStatus.FAILED, finished_at=now, return_value=None, **error_columns(error)
        )
        if ours and backend is not None:
            task_finished.send_robust(sender=backend, task_result=job.task_result)
    else:
        ours = job.write(
            status=TaskResultStatus.SUCCESSFUL,
            finished_at=timezone.now(),
            return_value=value,
            exception_class_path="",
            traceback="",
        )
        if ours:
            task_finished.send_robust(sender=backend, task_result=job.task_result)


def run_due(*queues: str, limit: int = 1000) -> int:
    """Runs all due jobs in this process, and those that they enqueue; for tests and shells."""
    done = 0
    while done < limit and (job := claim(queues or sorted(queues_with_work()), "here")):
        run(job)
        done += 1
    return done


class Reaper:
    """Puts back the jobs of dead workers, and those of this process that no thread is running."""

    def __init__(self, locks: Locks, me: str) -> None:
        self.locks, self.me = locks, me
        self.inactive: set[UUID] = set()

    def reap(self, active: Collection[UUID], *, others: bool = True) -> int:
        """Returns how many jobs were put back.

        `active` are the jobs that this process is running. Without `others`, other workers count as alive.
        """
        jobs = list(Job.objects.filter(status=TaskResultStatus.RUNNING))
        # Missed in two rounds, because a job is claimed a moment before its thread lists it as active.
        inactive = {job.pk for job in jobs if job.worker == self.me and job.pk not in active}
        lost, self.inactive = inactive & self.inactive, inactive
        locks = {worker_lock(job.worker): job.worker for job in jobs if job.worker != self.me}
        dead = {locks[name] for name in locks.keys() - self.locks.held(locks)} if others else set()
        orphaned = [job for job in jobs if job.pk in lost or job.worker in dead]
        for job in orphaned:
            worker = job.worker
            if job.worker_died():
                logger.warning("%s lost its worker %s and is %s", job, worker, job.status)
        return len(orphaned)
