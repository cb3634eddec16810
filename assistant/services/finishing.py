"""Ends replies, sends their answers, and enqueues the next question of the conversation."""

import logging

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from aimessage.api.idempotency import IdempotencyKey
from aimessage.api.problems import DomainError
from assistant.events import record_finished
from assistant.models import Reply
from assistant.services.allowance import daily_notice
from assistant.services.claiming import LeaseLost, leased, lock_conversation
from assistant.tools.running import forget_others_words
from messaging.models import Message
from messaging.services.messages import send_message

logger = logging.getLogger("aimessage.assistant")


@transaction.atomic
def finish(reply: Reply, state: Reply.State, *, text: str = "", reason: str | None = None) -> None:
    """Ends a reply that this worker has leased, and sends `text`. Raises LeaseLost."""
    _lock(reply)
    if state == Reply.State.DONE and _visible_question_id(reply) is None:
        # The question was deleted while it was being answered.
        state, text, reason = Reply.State.SKIPPED, "", "question_deleted"
    end(reply, state, text=text, reason=reason)


@transaction.atomic
def skip_used_up(reply: Reply) -> None:
    """Ends a reply because the allowance is used up. Tells its asker once a day. Raises LeaseLost."""
    _lock(reply)
    end(reply, Reply.State.SKIPPED, text=daily_notice(reply), reason="used_up")


def _lock(reply: Reply) -> None:
    lock_conversation(reply.conversation_id)
    if not leased(reply).select_for_update().exists():
        raise LeaseLost


def end(reply: Reply, state: Reply.State, *, text: str, reason: str | None) -> None:
    """Ends a reply. The caller has locked the conversation, and then the reply, in this transaction."""
    sent = _send(reply, text) if text else None
    if text and sent is None:
        state, reason = Reply.State.SKIPPED, "not_reachable"
    reply.state, reply.reason, reply.answer, reply.text = state, reason, sent, ""
    reply.finished_at, reply.lease_until, reply.holder = timezone.now(), None, ""
    changed = ["state", "reason", "answer", "text", "finished_at", "lease_until", "holder"]
    reply.save(update_fields=changed)
    if reply.tainted:
        forget_others_words(reply)
    record_finished(reply)
    enqueue_next(reply.conversation_id)
    logger.info("%s: reply=%s answer=%s reason=%s", state, reply.pk, reply.answer_id, reason or "-")


def _send(reply: Reply, text: str) -> Message | None:
    # None if the asker can no longer be written to.
    key = f"reply-{reply.pk}-{reply.round}"
    try:
        with transaction.atomic():
            message, _ = send_message(
                reply.profile.user,
                content=text,
                recipient_id=reply.asker_id,
                conversation_id=reply.conversation_id,
                parent_id=_visible_question_id(reply),
                idempotency_key=IdempotencyKey(key, key),
            )
    except DomainError as error:
        logger.info("not sent: reply=%s %s", reply.pk, type(error).__name__)
        return None
    return message


def _visible_question_id(reply: Reply) -> int | None:
    bot: User = reply.profile.user
    seen = Message.objects.visible_to(bot).filter(conversation=reply.conversation_id, pk=reply.question_id)
    return reply.question_id if seen.exists() else None


def enqueue_next(conversation_id: str) -> None:
    """Call it with the conversation locked. Otherwise a question that comes now might get no job."""
    from assistant.jobs import answer

    following = Reply.objects.unfinished().filter(conversation_id=conversation_id).order_by("pk").first()
    if following is not None:
        answer.enqueue(following.pk)
