"""The events of conversations and blocks: their kinds, and what each shows (aimessage/events)."""

from collections.abc import Mapping, Sequence

from aimessage.events.kinds import EventRow, add_kinds, stored_data
from aimessage.webhooks.kinds import Told, add_webhook_kinds, ids_of, tell_ids
from messaging.models import Block, Message
from messaging.serializers import BlockSerializer, MessageSerializer

MESSAGE_CREATED = "message.created"
MESSAGE_UPDATED = "message.updated"
MESSAGE_DELETED = "message.deleted"
MESSAGE_READ = "message.read"
CONVERSATION_READ = "conversation.read"
BLOCK_CREATED = "block.created"
BLOCK_DELETED = "block.deleted"
TYPING = "typing"


def add_message_kinds() -> None:
    scope = "messages:read"
    add_kinds([MESSAGE_CREATED, MESSAGE_UPDATED], message_objects, scope=scope)
    add_kinds([MESSAGE_READ], read_marks, scope=scope)
    add_kinds([MESSAGE_DELETED], deletions, scope=scope)
    add_kinds([CONVERSATION_READ], stored_data, scope=scope)
    add_kinds([TYPING], stored_data, scope=scope, kept=False)
    add_kinds([BLOCK_CREATED], block_objects, scope="people:read")
    add_kinds([BLOCK_DELETED], stored_data, scope="people:read")
    add_webhook_kinds([MESSAGE_CREATED, MESSAGE_UPDATED, MESSAGE_READ], tell_messages)
    add_webhook_kinds([MESSAGE_DELETED, CONVERSATION_READ], tell_ids)


def message_objects(rows: Sequence[EventRow]) -> dict[int, object]:
    shown = _visible_messages(rows)
    return {row.id: {"message": shown[row.id]} for row in rows if row.id in shown}


def read_marks(rows: Sequence[EventRow]) -> dict[int, object]:
    visible = _visible_messages(rows)
    return {row.id: {**_ids(row), **row.data} for row in rows if row.id in visible}


def deletions(rows: Sequence[EventRow]) -> dict[int, object]:
    return {row.id: _ids(row) for row in rows}


def visible_rows(rows: Sequence[EventRow]) -> set[int]:
    return set(_visible_messages(rows))


def _ids(row: EventRow) -> dict[str, object]:
    return {"message_id": row.message_id, "conversation_id": row.conversation_id}


def _visible_messages(rows: Sequence[EventRow]) -> dict[int, object]:
    # By event id; leaves out messages that the event's user cannot see any more.
    ids = {row.message_id for row in rows if row.message_id is not None}
    found = Message.objects.filter(pk__in=ids).order_by()
    columns = list(found.values_list(*MessageSerializer.columns(), "deleted_by_recipient"))
    shown = MessageSerializer.show_rows(columns)
    messages = {
        message["id"]: (message, deleted) for message, (*_, deleted) in zip(shown, columns, strict=True)
    }
    return {row.id: messages[row.message_id][0] for row in rows if _sees(row, messages)}


def _sees(row: EventRow, messages: Mapping[object, tuple[dict[str, object], bool]]) -> bool:
    if row.message_id not in messages:
        return False
    message, deleted_by_recipient = messages[row.message_id]
    if row.user_id == message["sender_id"]:
        return True
    return row.user_id == message["recipient_id"] and not deleted_by_recipient


def block_objects(rows: Sequence[EventRow]) -> dict[int, object]:
    # Leaves out blocks that were lifted since.
    blockers = {row.user_id for row in rows}
    blocked = {row.data["user_id"] for row in rows}
    found = Block.objects.filter(blocker__in=blockers, blocked__in=blocked).select_related("blocked")
    blocks = {(block.blocker_id, block.blocked_id): block for block in found}
    keys = {row.id: (row.user_id, row.data["user_id"]) for row in rows}
    return {pk: BlockSerializer.show(blocks[key]) for pk, key in keys.items() if key in blocks}


def tell_messages(rows: Sequence[EventRow]) -> dict[int, Told]:
    found = Message.objects.filter(pk__in={row.message_id for row in rows}).order_by()
    messages = {
        message["id"]: message
        for message in MessageSerializer.show_rows(found.values_list(*MessageSerializer.columns()))
    }
    told = {}
    for row in rows:
        message = messages.get(row.message_id)
        ids = ids_of(row)
        # A message that was deleted since has neither sender nor recipient here.
        if message is not None:
            ids |= {name: message[name] for name in ("sender_id", "recipient_id")}
        told[row.id] = Told(ids, {"message": message} if message is not None else {})
    return told
