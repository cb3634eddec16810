"""Events that tell askers how their replies progress (aimessage/events)."""

from collections.abc import Sequence

from aimessage.events.kinds import EventRow, add_kinds, stored_data
from aimessage.events.log import record
from assistant.models import Reply

REPLY_STARTED = "reply.started"
REPLY_DELTA = "reply.delta"
REPLY_FINISHED = "reply.finished"


def add_reply_kinds() -> None:
    scope = "messages:read"
    add_kinds([REPLY_STARTED, REPLY_FINISHED], stored_data, scope=scope)
    add_kinds([REPLY_DELTA], _deltas, scope=scope, kept=False)


def _deltas(rows: Sequence[EventRow]) -> dict[int, object]:
    # The log holds no text, only where in the reply, or in its answer, the text is.
    written = Reply.objects.filter(pk__in={row.data["reply_id"] for row in rows}).texts()
    shown: dict[int, object] = {}
    for row in rows:
        offset, length = row.data["offset"], row.data["length"]
        text = written.get(row.data["reply_id"], "")[offset : offset + length]
        if len(text) == length:  # otherwise the text was started again since
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
