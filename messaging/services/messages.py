"""Sends, edits and deletes messages."""

import logging
import re

from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from aimessage.api.idempotency import IdempotencyKey, create_once
from aimessage.api.problems import Forbidden, Invalid, NotFound, Reason
from aimessage.db.compiled import CompiledInsert, CompiledQuery, CompiledUpdate, Param
from aimessage.events.log import record
from aimessage.server.metrics import MESSAGES_SENT, count
from messaging import events
from messaging.models import (
    Block,
    Conversation,
    Message,
    Participant,
    default_conversation_id,
)
from messaging.services import extensions
from messaging.services.extensions import Receiver

#: Ids of this form belong to the two users they name. A sign is part of the number: -1 is an alias of the
#: assistant, and nobody may take `conv_-1_<id>` for another conversation.
PAIR_ID = re.compile(r"conv_([+-]?[0-9]+)_([+-]?[0-9]+)")

CONVERSATION_NOT_FOUND = Reason("Conversation not found")
RECIPIENT_NOT_FOUND = Reason("Recipient not found")
MESSAGE_NOT_FOUND = Reason("Message not found")
TO_YOURSELF = Reason("Cannot send message to yourself", "yourself", field="recipient_id")
RECIPIENT_REQUIRED = Reason(
    "recipient_id is required to start a conversation", "required", field="recipient_id"
)
OTHER_RECIPIENT = Reason(
    "The recipient is not the other participant of this conversation",
    "not_participant",
    field="recipient_id",
)
NO_SUCH_PARENT = Reason("The parent is no message of this conversation", "does_not_exist", field="parent_id")
BLOCKED = Reason("You cannot message this user", "blocked")
NOT_SENDER = Reason("Only the sender can update this message", "not_sender")

logger = logging.getLogger("messages")


def _locked_conversation() -> models.QuerySet[Conversation]:
    return Conversation.objects.select_for_update().filter(pk=Param("conversation_id"))


_LOCK_CONVERSATION = CompiledQuery(lambda: _locked_conversation().values_list("pk"))
#: Locks the conversation, as `_lock` does, and reads its members, in one round trip. The database looks at
#: members and blocks when the statement starts: a block that commits while it waits for the lock is too late.
_LOCK_AND_READ_MEMBERS = CompiledQuery(
    lambda: (
        Participant.objects.filter(
            conversation=Param("conversation_id"), conversation__in=_locked_conversation()
        )
        .annotate(blocked=Exists(Block.objects.between(Param("sender_id"), OuterRef("user_id"))))
        .values_list("user_id", "user__is_active", "user__kind", "blocked")
    )
)
_INSERT_MESSAGE = CompiledInsert(Message)
_SET_LAST_MESSAGE = CompiledUpdate(
    lambda: Participant.objects.filter(conversation=Param("conversation_id")),
    last_message=Param("message_id"),
)


def send_message(
    sender: User,
    *,
    content: str,
    recipient_id: int | None = None,
    conversation_id: str | None = None,
    parent_id: int | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> tuple[Message, bool]:
    """Sends a message; returns it, and whether it is new or the replay of an idempotency key.

    Without `conversation_id` it goes to the pair's default conversation; without `recipient_id`, to the other
    participant of an existing one. Raises NotFound for a recipient or conversation that does not exist for
    the sender, Forbidden if either blocks the other, Invalid for arguments that do not fit together,
    Unprocessable for a key that was used with another payload, and what `extensions.checks` raise.
    """

    def make(key: dict[str, str]) -> Message:
        conversation, receiver = _enter_conversation(sender, recipient_id, conversation_id)
        for check in extensions.checks:
            check(sender, receiver)
        if parent_id is not None:
            _check_parent(sender, conversation, parent_id)
        message = Message(
            sender=sender,
            recipient_id=receiver.id,
            conversation_id=conversation,
            content=content,
            parent_id=parent_id,
            **key,
        )
        _INSERT_MESSAGE.insert(message)
        _SET_LAST_MESSAGE.execute(message_id=message.pk, conversation_id=conversation)
        ids = {"conversation_id": conversation, "message_id": message.pk}
        record(events.MESSAGE_CREATED, [sender.pk, receiver.id], **ids)
        for follow in extensions.followers:
            follow(message, receiver)
        count(MESSAGES_SENT)
        return message

    message, is_new = create_once(lambda: Message.objects.filter(sender=sender), idempotency_key, make)
    logger.info(
        "%s: message=%s conversation=%s sender=%s recipient=%s",
        "sent" if is_new else "replayed",
        message.pk,
        message.conversation_id,
        sender.pk,
        message.recipient_id,
    )
    return message, is_new


def _find_recipient(recipient_id: int) -> User:
    recipient: User | None = User.objects.active().filter(pk=recipient_id).first()
    if recipient is None:
        raise NotFound(RECIPIENT_NOT_FOUND)
    return recipient


def _enter_conversation(
    sender: User, recipient_id: int | None, conversation_id: str | None
) -> tuple[str, Receiver]:
    """Locks or starts the conversation; returns its id and the receiver. Raises what send_message does."""
    if recipient_id == sender.pk:
        raise Invalid(TO_YOURSELF)
    if conversation_id is None:
        if recipient_id is None:
            raise Invalid(RECIPIENT_REQUIRED)
        conversation_id = default_conversation_id(sender.pk, recipient_id)
    rows = _LOCK_AND_READ_MEMBERS.rows(conversation_id=conversation_id, sender_id=sender.pk)
    if not rows:
        recipient = _find_recipient(recipient_id) if recipient_id is not None else None
        _start(conversation_id, sender, recipient)
        rows = _LOCK_AND_READ_MEMBERS.rows(conversation_id=conversation_id, sender_id=sender.pk)
    members = {user_id: (active, kind, blocked) for user_id, active, kind, blocked in rows}
    other_id = next((user_id for user_id in members if user_id != sender.pk), None)
    if recipient_id is not None and not {sender.pk, recipient_id} <= members.keys():
        _find_recipient(recipient_id)
    if sender.pk not in members:
        raise NotFound(CONVERSATION_NOT_FOUND)
    if recipient_id is not None and recipient_id != other_id:
        raise Invalid(OTHER_RECIPIENT)
    active, kind, blocked = members.get(other_id, (False, "", False))
    if other_id is None or not active:
        raise NotFound(RECIPIENT_NOT_FOUND)
    if blocked:
        raise Forbidden(BLOCKED)
    return conversation_id, Receiver(other_id, kind)


def _lock(conversation_id: str) -> bool:
    """Locks the conversation until the transaction ends; False if it does not exist.

    The database assigns ids at the insert and shows rows at the commit. Without the lock a higher id could
    become visible first, and a client that polls `after=<last id>` would miss the lower one.
    """
    return bool(_LOCK_CONVERSATION.rows(conversation_id=conversation_id))


def _start(conversation_id: str, sender: User, recipient: User | None) -> None:
    if not _may_start(conversation_id, sender, recipient):
        raise NotFound(CONVERSATION_NOT_FOUND)
    if recipient is None:
        raise Invalid(RECIPIENT_REQUIRED)
    try:
        with transaction.atomic():
            conversation = Conversation.objects.create(pk=conversation_id)
            Participant.objects.bulk_create(
                Participant(conversation=conversation, user=user) for user in (sender, recipient)
            )
    except IntegrityError:  # a racing request has just started it
        if not _lock(conversation_id):
            raise


def _may_start(conversation_id: str, sender: User, recipient: User | None) -> bool:
    # A pair's id belongs to the two that it names; any other id to the two who use it first.
    match = PAIR_ID.fullmatch(conversation_id)
    if match is None:
        return True
    low, high = int(match[1]), int(match[2])
    if low < 1 or low == high or conversation_id != default_conversation_id(low, high):
        return False
    return sender.pk in (low, high) and (recipient is None or recipient.pk in (low, high))


def _check_parent(sender: User, conversation: str, parent_id: int) -> None:
    parents = Message.objects.visible_to(sender).filter(conversation=conversation, pk=parent_id)
    if not parents.exists():
        raise Invalid(NO_SUCH_PARENT)


def edit_message(message: Message, *, editor: User, content: str | None = None) -> Message:
    """Replaces the text, unless it is None.

    Raises Forbidden for anyone but the sender, and if either blocks the other; NotFound if the message has
    been deleted meanwhile.
    """
    if message.sender_id != editor.pk:
        raise Forbidden(NOT_SENDER)
    if content is None:
        return message
    if Block.objects.between(editor.pk, message.recipient_id).exists():
        raise Forbidden(BLOCKED)
    message.content, message.updated_at = content, timezone.now()
    changed = {"content": message.content, "updated_at": message.updated_at}
    with transaction.atomic():
        if not Message.objects.filter(pk=message.pk).update(**changed):
            raise NotFound(MESSAGE_NOT_FOUND)
        ids = {"conversation_id": message.conversation_id, "message_id": message.pk}
        record(events.MESSAGE_UPDATED, [editor.pk, message.recipient_id], **ids)
    logger.info("edited: message=%s sender=%s", message.pk, editor.pk)
    return message


@transaction.atomic
def delete_message(message: Message, *, actor: User) -> None:
    """The sender deletes it for both, the recipient for themselves alone.

    Raises NotFound if it has been deleted meanwhile.
    """
    # Sends wait for this lock, so that `last_message` ends up right.
    _lock(message.conversation_id)
    rows = Message.objects.filter(Q(pk=message.pk) | Q(parent=message)).order_by("pk")
    # With the replies, which lose their parent; by id, as mark_read locks, so that the two cannot deadlock.
    list(rows.select_for_update().values_list("pk"))
    current = Message.objects.visible_to(actor).filter(pk=message.pk).first()
    if current is None:
        raise NotFound(MESSAGE_NOT_FOUND)
    last_for = Participant.objects.filter(conversation=message.conversation_id, last_message=current)
    affected = list(last_for.select_related("user"))
    # If the sender's account is gone, nobody can see the message once the recipient deletes it.
    losing: set[int | None] = {actor.pk}
    if current.sender_id in (actor.pk, None):
        if not current.deleted_by_recipient:
            losing.add(current.recipient_id)
        current.delete()
    else:
        Message.objects.filter(pk=current.pk).update(deleted_by_recipient=True)
        affected = [participant for participant in affected if participant.user_id == actor.pk]
    for participant in affected:
        move_last_message_back(participant)
    ids = {"conversation_id": message.conversation_id, "message_id": message.pk}
    # For webhooks, because the row may be gone.
    people = {"sender_id": current.sender_id, "recipient_id": current.recipient_id}
    record(events.MESSAGE_DELETED, losing, **ids, data=people)
    logger.info("deleted: message=%s actor=%s", message.pk, actor.pk)


def move_last_message_back(participant: Participant) -> None:
    newest = None
    if participant.user is not None:
        seen = Message.objects.visible_to(participant.user)
        newest = seen.filter(conversation=participant.conversation_id).order_by("-pk").first()
    Participant.objects.filter(pk=participant.pk).update(last_message=newest)
