"""Retention: bodies and answers are kept for some days, deliveries for a month."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from aimessage.db.batches import delete_in_batches, in_batches
from aimessage.webhooks.models import Attempt, Delivery

#: Counted from when a delivery was delivered, failed for good, or was cancelled.
KEEP_BODIES = timedelta(days=3)
KEEP_ROWS = timedelta(days=30)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Empties, and later deletes, old deliveries; returns the number of rows by their name."""
    now = timezone.now()
    old = Delivery.objects.filter(settled_at__lt=now - KEEP_ROWS)
    deleted = delete_in_batches(old, dry_run=dry_run)
    settled = Delivery.objects.filter(settled_at__lt=now - KEEP_BODIES, body__isnull=False)
    return {"deliveries": deleted, "bodies of deliveries": in_batches(settled, _empty, dry_run=dry_run)}


def _empty(pks: list[int]) -> int:
    with transaction.atomic():
        # An answer may quote the body.
        Attempt.objects.filter(delivery__in=pks).update(answer=None)
        return Delivery.objects.filter(pk__in=pks).update(body=None)
