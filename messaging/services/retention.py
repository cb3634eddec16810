"""How long messages and idempotency keys are kept."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from aimessage.api.idempotency import forget_keys
from aimessage.db.batches import delete_in_batches, in_batches
from messaging.models import Conversation, Message, Participant


def sweep(*, keep: "QuerySet[Conversation]", dry_run: bool = False) -> dict[str, int]:
    """Deletes what nobody can see any more, except in `keep`; returns how many of what.

    The sender sees a message, and so does the recipient until they delete it; either account may be gone.
    """
    gone = Q(recipient=None) | Q(deleted_by_recipient=True)
    unseen = Message.objects.filter(gone, sender=None).exclude(conversation__in=keep)
    members = Participant.objects.filter(conversation=OuterRef("pk"))
    deserted = Conversation.objects.filter(
        Exists(members.filter(user=None)),
        ~Exists(members.filter(user__isnull=False)),
    ).exclude(pk__in=keep)
    if not dry_run:
        # Some of it may be left for the next time; with the conversation it would go in one long step.
        deserted = deserted.filter(~Exists(Message.objects.filter(conversation=OuterRef("pk"))))
    return {
        "idempotency keys of messages": forget_keys(Message.objects.all(), dry_run=dry_run),
        "messages that nobody can see": in_batches(unseen, delete_unseen, dry_run=dry_run),
        "conversations of deleted accounts": delete_in_batches(deserted, dry_run=dry_run),
    }


def delete_unseen(pks: list[int]) -> int:
    """Deletes messages by id, except those with replies in use; returns how many."""
    # Replies, which somebody may see, lose their parent. One that somebody else has locked keeps it,
    # and the parent, until the next time: waiting for it could end in a deadlock.
    replies = Message.objects.filter(parent__in=pks).order_by()
    free = replies.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True)
    busy = set(replies.exclude(pk__in=list(free)).values_list("parent", flat=True))
    chosen = [pk for pk in pks if pk not in busy]
    Message.objects.filter(pk__in=chosen).delete()
    return len(chosen)
