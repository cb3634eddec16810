"""Jobs, and the two small tables through which workers coordinate."""

from datetime import datetime

from django.db import models
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

#: Suffixes of a worker's name in `worker_ids`, for a try that ended without ending the job.
FAILED, DIED = " failed", " died"
#: How many workers may die, or lose the database, in one job before the job counts as the cause and fails.
MAX_DEATHS = 5


class Job(DBTaskResult):
    """One call of a task. `started_at` identifies the current try: a worker whose try was taken away cannot
    write its outcome any more."""

    class Meta:
        proxy = True
        ordering = ["-enqueued_at"]
        verbose_name = "job"
        verbose_name_plural = "jobs"

    def __str__(self) -> str:
        return f"{self.task_path.rpartition('.')[2]} {str(self.pk)[:8]}"

    @property
    def worker(self) -> str:
        return str(self.worker_ids[-1]) if self.worker_ids else ""

    @property
    def failures(self) -> int:
        return sum(name.endswith(FAILED) for name in self.worker_ids)

    @property
    def deaths(self) -> int:
        return sum(name.endswith(DIED) for name in self.worker_ids)

    def write(self, **changes: object) -> bool:
        """Ends this try; returns False, and changes nothing, if the try was taken away."""
        mine = Job.objects.filter(pk=self.pk, status=TaskResultStatus.RUNNING, started_at=self.started_at)
        if not mine.update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True

    def put_back(self, at: datetime | None, *, why: str, **changes: object) -> bool:
        """Ends this try and makes the job run again, at once if `at` is None; `why` is FAILED or DIED."""
        return self.write(
            status=TaskResultStatus.READY,
            run_after=at or get_date_max(),
            worker_ids=[*self.worker_ids[:-1], f"{self.worker}{why}"],
            **changes,
        )

    def worker_died(self, *, again_at: datetime | None = None) -> bool:
        if self.deaths + 1 < MAX_DEATHS:
            return self.put_back(again_at, why=DIED)
        return self.write(
            status=TaskResultStatus.FAILED,
            finished_at=timezone.now(),
            exception_class_path="aimessage.jobs.running.WorkerDied",
            traceback=f"{MAX_DEATHS} workers ended, or lost the database, while they ran this job.",
        )


class Tick(models.Model):
    """The last period for which a periodic task was enqueued; see clock.py."""

    name = models.CharField(max_length=100, primary_key=True)
    period = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name}: {self.period}"


class Lease(models.Model):
    """A lock that expires unless its holder renews it; used behind a connection pooler, see locks.py."""

    name = models.CharField(max_length=150, primary_key=True)
    holder = models.CharField(max_length=150)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
