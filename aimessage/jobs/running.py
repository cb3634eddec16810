"""One job: who takes it, what becomes of it, and what happens to it when its worker is gone."""

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
from aimessage.jobs.retries import describe, running
from aimessage.server.logs import request_id

#: The order of the library's index. Job itself is ordered for people.
ORDER = list(DBTaskResult._meta.ordering or ())
#: Seconds until a job that lost the database runs again; twice as long each time.
DATABASE_PAUSE = 5
logger = logging.getLogger("aimessage.jobs")


class WorkerDied(Exception):
    """Stands in a job's row in the place of an error."""


def queues_with_work() -> set[str]:
    return set(Job.objects.ready().order_by().values_list("queue_name", flat=True).distinct())


def claim(queues: Sequence[str], worker: str, *, key: str | None = None) -> Job | None:
    """The next job that is due, or the one with this primary key if it is; it is then this worker's."""
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
    """Calls the function of a claimed job and writes down what it came to.

    Raises a DatabaseError where that cannot be written; the reaper then puts the job back.
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
        # Most often the database's fault, and not the job's.
        logger.warning("%s lost the database", job, exc_info=True)
        pause = timedelta(seconds=DATABASE_PAUSE * 2**job.deaths)
        job.worker_died(again_at=timezone.now() + pause)
    except BaseException as error:
        logger.error("%s failed", job, exc_info=True)
        now = timezone.now()
        ours = job.write(
            status=TaskResultStatus.FAILED, finished_at=now, return_value=None, **describe(error)
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
    """Runs what is due here and now, and what that enqueues; for tests and shells."""
    done = 0
    while done < limit and (job := claim(queues or sorted(queues_with_work()), "here")):
        run(job)
        done += 1
    return done


class Reaper:
    """Puts jobs back whose worker is gone, or has lost sight of them."""

    def __init__(self, locks: Locks, me: str) -> None:
        self.locks, self.me = locks, me
        self.unseen: set[UUID] = set()

    def reap(self, active: Collection[UUID], *, others: bool = True) -> int:
        """Returns how many jobs were put back. `active` are the jobs that this process is running."""
        jobs = list(Job.objects.filter(status=TaskResultStatus.RUNNING))
        # Twice in a row: a job is claimed a moment before its thread can say so.
        unseen = {job.pk for job in jobs if job.worker == self.me and job.pk not in active}
        lost, self.unseen = unseen & self.unseen, unseen
        locks = {worker_lock(job.worker): job.worker for job in jobs if job.worker != self.me}
        dead = {locks[name] for name in locks.keys() - self.locks.held(locks)} if others else set()
        gone = [job for job in jobs if job.pk in lost or job.worker in dead]
        for job in gone:
            worker = job.worker
            if job.worker_died():
                logger.warning("%s lost its worker %s and is %s", job, worker, job.status)
        return len(gone)
