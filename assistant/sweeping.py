"""Deletes old data of the assistant."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from aimessage.db.batches import delete_in_batches, in_batches
from assistant.models import Profile, Reply, Step, Usage
from messaging.models import Conversation, Message, Participant
from messaging.services.retention import delete_unseen

#: Replies and usage, which hold only numbers for the admin's lists.
KEEP_NUMBERS = timedelta(days=400)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes old steps, replies and usage, and conversations with deleted accounts. Returns the counts."""
    now = timezone.now()
    steps = Step.objects.filter(at__lt=now - timedelta(days=settings.ASSISTANT.keep_days))
    replies = Reply.objects.filter(finished_at__lt=now - KEEP_NUMBERS)
    usage = Usage.objects.filter(day__lt=(now - KEEP_NUMBERS).date())
    left = _left_behind()
    messages = Message.objects.filter(conversation__in=left)
    if not dry_run:
        # Conversations that still have messages wait for the next sweep.
        left = left.filter(~Exists(Message.objects.filter(conversation=OuterRef("pk"))))
    return {
        "steps of the assistant": delete_in_batches(steps, dry_run=dry_run),
        "old replies of the assistant": delete_in_batches(replies, dry_run=dry_run),
        "counts of the assistant's tokens": delete_in_batches(usage, dry_run=dry_run),
        "messages between the assistant and deleted accounts": in_batches(
            messages, delete_unseen, dry_run=dry_run
        ),
        "conversations of the assistant with deleted accounts": delete_in_batches(left, dry_run=dry_run),
    }


def _left_behind() -> QuerySet[Conversation]:
    # Conversations with deleted accounts. Nobody sees them; moderators have the messages that a report keeps.
    members = Participant.objects.filter(conversation=OuterRef("pk"))
    ours = Participant.objects.filter(user__in=Profile.objects.values("user")).values("conversation")
    return Conversation.objects.filter(Exists(members.filter(user=None)), pk__in=ours)
