"""Erases the sent messages of a user who leaves, for their recipients, too."""

from django.db import transaction
from django.db.models import Q

from accounts.services import leaving
from aimessage.events.log import Entry, record_all
from messaging.events import MESSAGE_DELETED
from messaging.models import Conversation, Message, Participant
from messaging.services.messages import move_last_message_back

#: Messages that one transaction erases.
ERASED_AT_ONCE = 500


@transaction.atomic
def erase_sent(user_id: int) -> int:
    """Erases up to ERASED_AT_ONCE messages that the user sent; returns how many, 0 when all are gone."""
    sent = Message.objects.filter(sender=user_id).order_by("pk")
    columns = ("pk", "conversation_id", "recipient_id", "deleted_by_recipient")
    chosen = list(sent.values_list(*columns)[:ERASED_AT_ONCE])
    if not chosen:
        return 0
    conversations = {conversation for _, conversation, *_ in chosen}
    # Locks in the order of delete_message: the conversations, so that `last_message` ends up right, then the
    # messages by id, with the replies, which lose their parent.
    locked = Conversation.objects.select_for_update().filter(pk__in=conversations).order_by("pk")
    list(locked.values_list("pk"))
    pks = [pk for pk, *_ in chosen]
    rows = Message.objects.filter(Q(pk__in=pks) | Q(parent__in=pks)).order_by("pk")
    list(rows.select_for_update().values_list("pk"))
    affected = list(Participant.objects.filter(last_message__in=pks).select_related("user"))
    Message.objects.filter(pk__in=pks).delete()
    for participant in affected:
        move_last_message_back(participant)
    record_all(
        Entry(MESSAGE_DELETED, [] if gone else [recipient], conversation_id=conversation, message_id=pk)
        for pk, conversation, recipient, gone in chosen
    )
    return len(pks)


leaving.erasers.append(erase_sent)
