"""Retention of finished jobs."""

from datetime import timedelta

from django.utils import timezone
from django_tasks import TaskResultStatus, task

from aimessage.db.batches import delete_in_batches
from aimessage.jobs.models import Job, Lease

KEEP = {TaskResultStatus.SUCCESSFUL: timedelta(days=1), TaskResultStatus.FAILED: timedelta(days=30)}


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    now, count = timezone.now(), 0
    for status, age in KEEP.items():
        old = Job.objects.filter(status=status, finished_at__lt=now - age)
        count += delete_in_batches(old, dry_run=dry_run)
    if not dry_run:
        Lease.objects.filter(until__lt=now - timedelta(days=1)).delete()
    return {"finished jobs": count}


@task
def prune() -> None:
    sweep()
