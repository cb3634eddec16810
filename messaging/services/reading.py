"""Marks messages as read, one or many."""

import logging
import time
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db import transaction

from accounts.models import User
from aimessage.api.problems import TOO_LONG, Forbidden, NotFound, Reason, Unavailable
from aimessage.db.compiled import CompiledQuery, CompiledUpdate, Param
from aimessage.events.log import Entry, record, record_all
from messaging import events
from messaging.models import Message
from messaging.querysets import MessageQuerySet
from messaging.services.messages import MESSAGE_NOT_FOUND

#: Rows that one transaction locks and marks; each transaction writes one event per conversation.
READ_BATCH = 10_000

NOT_RECIPIENT = Reason("Only the recipient can mark this message as read", "not_recipient")

logger = logging.getLogger("messages")

_MESSAGE_TO_READ = CompiledQuery(
    lambda: (
        Message.objects.visible_to(Param("reader"))
        .filter(pk=Param("message_id"))
        .order_by()
        .values_list("sender_id", "recipient_id", "conversation_id", "is_read")
    )
)
_MARK_READ = CompiledUpdate(
    lambda: Message.objects.filter(pk=Param("message_id"), is_read=False), is_read=True
)


def mark_message_read(message_id: int, *, reader: User) -> None:
    """Raises NotFound if `reader` sees no such message, Forbidden for anyone but the recipient."""
    found = _MESSAGE_TO_READ.rows(reader=reader, message_id=message_id)
    if not found:
        raise NotFound(MESSAGE_NOT_FOUND)
    sender_id, recipient_id, conversation_id, is_read = found[0]
    if recipient_id != reader.pk:
        raise Forbidden(NOT_RECIPIENT)
    if is_read:
        return
    with transaction.atomic():
        if _MARK_READ.execute(message_id=message_id):
            ids = {"conversation_id": conversation_id, "message_id": message_id}
            record(events.MESSAGE_READ, [sender_id, reader.pk], **ids, data={"reader_id": reader.pk})


def mark_read(messages: MessageQuerySet, *, reader: User) -> int:
    """Marks the unread ones among `messages` as read, leaving `updated_at` alone; returns how many.

    Raises Unavailable if that takes longer than STATEMENT_SECONDS; messages marked until then stay marked.
    """
    marked, deadline = 0, time.monotonic() + settings.STATEMENT_SECONDS
    newest = messages.unread_by(reader).order_by("-pk").values_list("pk", flat=True).first() or 0
    pending = messages.unread_by(reader).filter(pk__lte=newest)
    while True:
        with transaction.atomic():
            # By id, as deletion locks: two that lock the same rows in different orders would deadlock.
            locked = pending.select_for_update(no_key=True).order_by("pk")
            rows = list(locked.values_list("pk", "conversation_id", "sender_id")[:READ_BATCH])
            Message.objects.filter(pk__in=[pk for pk, _, _ in rows]).update(is_read=True)
            record_all(_read_events(rows, reader))
        marked += len(rows)
        if len(rows) < READ_BATCH:
            break
        if time.monotonic() > deadline:
            raise Unavailable(TOO_LONG)
    logger.info("read: messages=%s reader=%s", marked, reader.pk)
    return marked


def _read_events(rows: Sequence[tuple[int, str, int | None]], reader: User) -> Iterator[Entry]:
    # One event per conversation, with its newest message, since `rows` ascend.
    newest = {conversation: (pk, sender) for pk, conversation, sender in rows}
    for conversation, (pk, sender) in newest.items():
        data = {"conversation_id": conversation, "reader_id": reader.pk, "up_to_message_id": pk}
        yield Entry(events.CONVERSATION_READ, [sender, reader.pk], conversation_id=conversation, data=data)
