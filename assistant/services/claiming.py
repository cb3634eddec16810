"""Leases: which worker has a reply, and may write to it."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from assistant.events import record_started
from assistant.models import Reply
from assistant.querysets import ReplyQuerySet
from messaging.models import Conversation

#: How long a lease lasts, and how often its worker renews it.
LEASE, RENEW_EVERY = timedelta(seconds=30), timedelta(seconds=10)

logger = logging.getLogger("aimessage.assistant")


class LeaseLost(Exception):
    """Another worker has the reply, or it was ended: this attempt may write nothing more."""


@transaction.atomic
def claim(reply_id: int, *, holder: str) -> Reply | None:
    """Leases a reply to the job `holder`. Returns None if it is finished, not due, or leased to another job.

    A job whose worker died gets its own lease back at once; other jobs wait until that lease ends.
    """
    found = Reply.objects.filter(pk=reply_id).values_list("conversation_id", flat=True).first()
    if found is None:
        return None
    # Closes a race with the retry of an earlier reply: one reply of a conversation runs at a time.
    lock_conversation(found)
    now = timezone.now()
    taken = Reply.objects.free(now, holder=holder).filter(pk=reply_id)
    lease = {"lease_until": now + LEASE, "holder": holder, "attempt": F("attempt") + 1}
    if not taken.update(state=Reply.State.RUNNING, **lease):
        return None
    return Reply.objects.select_related("asker", "profile__user").get(pk=reply_id)


def leased(reply: Reply) -> ReplyQuerySet:
    """The row of `reply`, or no row if this attempt has lost its lease."""
    return Reply.objects.filter(pk=reply.pk, attempt=reply.attempt, state=Reply.State.RUNNING)


def renew(reply: Reply, **changes: object) -> None:
    if not leased(reply).update(lease_until=timezone.now() + LEASE, **changes):
        raise LeaseLost


def mark_started(reply: Reply) -> None:
    if reply.started_at is not None:
        return
    reply.started_at = timezone.now()
    with transaction.atomic():
        renew(reply, started_at=reply.started_at, model=settings.ASSISTANT.model)
        record_started(reply)


def postpone(reply: Reply, until: datetime, **changes: object) -> None:
    from assistant.jobs import answer

    with transaction.atomic():
        released = {"state": Reply.State.QUEUED, "lease_until": None, "holder": "", "due_at": until}
        if leased(reply).update(**released, **changes):
            answer.using(run_after=until).enqueue(reply.pk)


def lock_conversation(conversation_id: str) -> None:
    """Locks it as send_message does. Call it before locking any reply, to avoid deadlocks."""
    list(Conversation.objects.select_for_update().filter(pk=conversation_id).values_list("pk"))


def throttled_until(reply: Reply) -> datetime | None:
    """Returns when the throttle lets this reply start; None means now."""
    rate: tuple[int, int] | None = settings.THROTTLE_RATES["assistant"]
    if rate is None or reply.started_at is not None:
        return None
    count, seconds = rate
    window = timedelta(seconds=seconds)
    begun = Reply.objects.filter(asker=reply.asker_id, started_at__gt=timezone.now() - window)
    # The oldest of the last `count` starts: the next may follow once it has left the window.
    last = begun.order_by("-started_at").values_list("started_at", flat=True)[count - 1 : count].first()
    return last + window if last else None
