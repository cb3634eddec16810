"""Which worker has a reply, and what it may still write about it."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from assistant.events import record_started
from assistant.models import Reply
from messaging.models import Conversation

#: How long a worker has a reply without a sign of life, and how often it gives one.
LEASE, RENEW_EVERY = timedelta(seconds=30), timedelta(seconds=10)

logger = logging.getLogger("aimessage.assistant")


class Lost(Exception):
    """Another worker has the reply by now, or its asker cancelled it: nothing more may be written."""


@transaction.atomic
def claim(reply_id: int, *, holder: str) -> Reply | None:
    """Gives a reply to `holder`, the job that runs; None where it is finished, not due, or somebody else's.

    What the same job had when its worker died is its own at once; that of another, once its lease is over.
    """
    found = Reply.objects.filter(pk=reply_id).values_list("conversation_id", flat=True).first()
    if found is None:
        return None
    # An earlier reply that is tried again in this moment waits, or else is seen: there is one at a time.
    lock_conversation(found)
    now = timezone.now()
    taken = Reply.objects.free(now, holder=holder).filter(pk=reply_id)
    lease = {"lease_until": now + LEASE, "holder": holder, "attempt": F("attempt") + 1}
    if not taken.update(state=Reply.State.RUNNING, **lease):
        return None
    return Reply.objects.select_related("asker", "profile__user").get(pk=reply_id)


def mine(reply: Reply) -> Any:
    """The row, for as long as this attempt has it."""
    return Reply.objects.filter(pk=reply.pk, attempt=reply.attempt, state=Reply.State.RUNNING)


def renew(reply: Reply, **changes: object) -> None:
    """Raises Lost."""
    if not mine(reply).update(lease_until=timezone.now() + LEASE, **changes):
        raise Lost


def begin(reply: Reply) -> None:
    """Marks the first call of a reply."""
    if reply.started_at is not None:
        return
    reply.started_at = timezone.now()
    with transaction.atomic():
        renew(reply, started_at=reply.started_at, model=settings.ASSISTANT.model)
        record_started(reply)


def put_off(reply: Reply, until: datetime, **changes: object) -> None:
    """Gives the reply back, to be taken up at a time."""
    from assistant.jobs import answer

    with transaction.atomic():
        given_back = {"state": Reply.State.QUEUED, "lease_until": None, "holder": "", "due_at": until}
        if mine(reply).update(**given_back, **changes):
            answer.using(run_after=until).enqueue(reply.pk)


def lock_conversation(conversation_id: str) -> None:
    """As sending does, and before any row of a reply is locked."""
    list(Conversation.objects.select_for_update().filter(pk=conversation_id).values_list("pk"))


def throttled_until(reply: Reply) -> datetime | None:
    """When the asker's next question may be begun; None for now."""
    rate: tuple[int, int] | None = settings.THROTTLE_RATES["assistant"]
    if rate is None or reply.started_at is not None:
        return None
    count, seconds = rate
    window = timedelta(seconds=seconds)
    begun = Reply.objects.filter(asker=reply.asker_id, started_at__gt=timezone.now() - window)
    # The one that has to be over first.
    last = begun.order_by("-started_at").values_list("started_at", flat=True)[count - 1 : count].first()
    return last + window if last else None
