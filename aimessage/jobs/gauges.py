"""The metrics of jobs."""

from datetime import datetime

from django.conf import settings
from django.db.models import Case, Count, F, Min, When
from django_tasks import TaskResultStatus
from django_tasks_db.models import get_date_max

from aimessage.jobs.locks import count_workers
from aimessage.jobs.loops import loops
from aimessage.jobs.models import Job
from aimessage.server.metrics.gauges import Values, gauge


@gauge("aimessage_jobs", "Jobs there are, by queue and status.", ("queue", "status"))
def count_jobs() -> Values:
    rows = Job.objects.order_by().values_list("queue_name", "status").annotate(Count("pk"))
    counts = {(queue, status): count for queue, status, count in rows}
    return {
        (queue, status): counts.get((queue, status), 0)
        for queue in settings.JOB_QUEUES
        for status in TaskResultStatus.values
    }


def oldest_due() -> dict[str, datetime]:
    # Queue → when its longest-waiting job became due.
    due_at = Case(When(run_after=get_date_max(), then=F("enqueued_at")), default=F("run_after"))
    rows = Job.objects.ready().order_by().values_list("queue_name").annotate(since=Min(due_at))
    return {queue: since for queue, since in rows if queue in settings.JOB_QUEUES}


@gauge(
    "aimessage_jobs_oldest_due_timestamp_seconds",
    "Since when the job that has waited longest has been due, as Unix time; absent where none is.",
    ("queue",),
)
def find_oldest_due() -> Values:
    return {(queue,): since.timestamp() for queue, since in oldest_due().items()}


@gauge("aimessage_jobs_workers", "Processes that run jobs.")
def find_workers() -> Values:
    return {(): count_workers()}


@gauge("aimessage_loop_lag_seconds", "How far a consumer of a log is behind.", ("loop",))
def find_lags() -> Values:
    return {(loop.name,): loop.lag() for loop in loops.values() if loop.lag is not None}
