"""Retention of deliveries."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from aimessage.db.batches import delete_in_batches
from channels.models import Delivery
from channels.outcomes import WINDOW_CLOSED
from channels.services.states import fail, lock

#: How long a held delivery waits for the contact to write.
HELD = timedelta(days=30)
#: How long notices are kept. The deliveries of a message are deleted with the message.
NOTICES = timedelta(days=30)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Fails what was held for too long, and deletes old notices; returns the number of rows by their name."""
    now = timezone.now()
    held = Delivery.objects.filter(state=Delivery.State.HELD, updated_at__lt=now - HELD)
    given_up = list(held.values_list("pk", flat=True)[:1000])
    for pk in given_up if not dry_run else ():
        with transaction.atomic():
            if row := lock(pk, state=Delivery.State.HELD):
                fail(row, WINDOW_CLOSED)
    notices = Delivery.objects.filter(message=None, due_at=None, created_at__lt=now - NOTICES)
    return {"held messages": len(given_up), "notices": delete_in_batches(notices, dry_run=dry_run)}
