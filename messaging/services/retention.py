"""The sweep of messages that nobody can see, and of old idempotency keys."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from aimessage.api.idempotency import forget_keys
from aimessage.db.batches import delete_in_batches, in_batches
from messaging.models import Conversation, Message, Participant


def sweep(*, keep: QuerySet[Conversation], dry_run: bool = False) -> dict[str, int]:
    """Deletes messages and conversations that nobody can see, except in `keep`; returns the counts by name.

    A message can be seen by its sender, and by its recipient until they delete it, while the account exists.
    """
    gone = Q(recipient=None) | Q(deleted_by_recipient=True)
    unseen = Message.objects.filter(gone, sender=None).exclude(conversation__in=keep)
    members = Participant.objects.filter(conversation=OuterRef("pk"))
    deserted = Conversation.objects.filter(
        Exists(members.filter(user=None)),
        ~Exists(members.filter(user__isnull=False)),
    ).exclude(pk__in=keep)
    if not dry_run:
        # Conversations with messages left wait for the next sweep: to delete them would take one long step.
        deserted = deserted.filter(~Exists(Message.objects.filter(conversation=OuterRef("pk"))))
    return {
        "idempotency keys of messages": forget_keys(Message.objects.all(), dry_run=dry_run),
        "messages that nobody can see": in_batches(unseen, delete_unseen, dry_run=dry_run),
        "conversations of deleted accounts": delete_in_batches(deserted, dry_run=dry_run),
    }


def delete_unseen(pks: list[int]) -> int:
    """Deletes messages by id, except those with a locked reply; returns how many."""
    # Replies lose their parent. If another transaction holds a reply, its parent stays until the next sweep,
    # because waiting for the lock could deadlock.
    replies = Message.objects.filter(parent__in=pks).order_by()
    free = replies.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True)
    busy = set(replies.exclude(pk__in=list(free)).values_list("parent", flat=True))
    chosen = [pk for pk in pks if pk not in busy]
    Message.objects.filter(pk__in=chosen).delete()
    return len(chosen)
