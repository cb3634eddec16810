"""Puts mails into the outbox, and deletes old ones."""

from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from aimessage.db.batches import delete_in_batches
from aimessage.mail.jobs import deliver
from aimessage.mail.models import Mail

KEEP = timedelta(days=30)


def post(
    kind: str,
    *,
    user_id: int | None = None,
    address: str = "",
    lifetime: timedelta | None = None,
    facts: Mapping[str, object] | None = None,
) -> Mail | None:
    """Sends a mail of this `kind` after the transaction commits, but not later than `lifetime` from now.

    Returns None if this server sends no mail.
    """
    if not settings.MAIL_ON:
        return None
    now = timezone.now()
    mail = Mail.objects.create(
        kind=kind,
        user_id=user_id,
        address=address,
        facts=facts or {},
        created_at=now,
        expires_at=now + lifetime if lifetime else None,
    )
    deliver.enqueue(mail.pk)
    return mail


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    old = Mail.objects.filter(created_at__lt=timezone.now() - KEEP)
    return {"mails": delete_in_batches(old, dry_run=dry_run)}
