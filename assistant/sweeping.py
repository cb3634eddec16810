"""What is kept of the assistant's work, and for how long."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from aimessage.db.batches import delete_in_batches
from assistant.models import Step, Usage

#: Numbers alone, for the admin's lists.
KEEP_USAGE = timedelta(days=400)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes what tools did long ago, and old counts; returns how many of what."""
    now = timezone.now()
    steps = Step.objects.filter(at__lt=now - timedelta(days=settings.ASSISTANT.keep_days))
    usage = Usage.objects.filter(day__lt=(now - KEEP_USAGE).date())
    return {
        "steps of the assistant": delete_in_batches(steps, dry_run=dry_run),
        "counts of the assistant's tokens": delete_in_batches(usage, dry_run=dry_run),
    }
