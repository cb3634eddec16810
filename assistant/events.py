"""What happens to replies, as events of their askers (aimessage/events)."""

from collections.abc import Sequence
from typing import Any

from aimessage.events.kinds import EventRow, add_kinds, stored_data
from aimessage.events.log import record
from assistant.models import Reply

REPLY_STARTED = "reply.started"
REPLY_DELTA = "reply.delta"
REPLY_FINISHED = "reply.finished"


def add_reply_kinds() -> None:
    scope = "messages:read"
    add_kinds([REPLY_STARTED, REPLY_FINISHED], stored_data, scope=scope)
    add_kinds([REPLY_DELTA], deltas, scope=scope, kept=False)


def deltas(rows: Sequence[EventRow]) -> dict[int, Any]:
    """The log holds no text: it is read off the reply, or off the answer that it became."""
    concerned = Reply.objects.filter(pk__in={row.data["reply_id"] for row in rows})
    written = dict(concerned.with_text().values_list("pk", "shown_text"))
    shown = {}
    for row in rows:
        offset, length = row.data["offset"], row.data["length"]
        text = written.get(row.data["reply_id"], "")[offset : offset + length]
        if len(text) == length:  # else it was begun anew since
            shown[row.id] = {"reply_id": row.data["reply_id"], "offset": offset, "text": text}
    return shown


def record_started(reply: Reply) -> None:
    ids = {"reply_id": reply.pk, "conversation_id": reply.conversation_id, "question_id": reply.question_id}
    record(REPLY_STARTED, [reply.asker_id], data=ids)


def record_delta(reply: Reply, *, offset: int, length: int) -> None:
    data = {"reply_id": reply.pk, "offset": offset, "length": length}
    record(REPLY_DELTA, [reply.asker_id], data=data)


def record_finished(reply: Reply) -> None:
    data = {"reply_id": reply.pk, "state": reply.state, "answer_id": reply.answer_id}
    record(REPLY_FINISHED, [reply.asker_id], data=data)
