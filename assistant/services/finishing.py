"""How replies end. Whatever was written, the next question of the conversation has its turn then."""

import logging

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from aimessage.api.idempotency import IdempotencyKey
from aimessage.api.problems import DomainError
from assistant.events import record_finished
from assistant.models import Reply
from assistant.services.allowance import notice_for
from assistant.services.claiming import Lost, lock_conversation, mine
from assistant.tools.running import forget_others_words
from messaging.models import Message
from messaging.services.messages import send_message

logger = logging.getLogger("aimessage.assistant")


@transaction.atomic
def finish(reply: Reply, state: Reply.State, *, text: str = "", reason: str | None = None) -> None:
    """Ends a reply that this worker has, and sends `text`. Raises Lost where it does not have it any more."""
    _lock(reply)
    if state == Reply.State.DONE and _parent(reply) is None:
        # Its asker took the question back while it was being answered.
        state, text, reason = Reply.State.SKIPPED, "", "question_deleted"
    end(reply, state, text=text, reason=reason)


@transaction.atomic
def skip_used_up(reply: Reply) -> None:
    """Ends a reply for which the allowance is used up, which its asker is told once a day. Raises Lost."""
    _lock(reply)
    end(reply, Reply.State.SKIPPED, text=notice_for(reply), reason="used_up")


def _lock(reply: Reply) -> None:
    lock_conversation(reply.conversation_id)
    if not mine(reply).select_for_update().exists():
        raise Lost


def end(reply: Reply, state: Reply.State, *, text: str, reason: str | None) -> None:
    """The same for whoever has locked the conversation, and then the reply, in this transaction."""
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
    """None where its asker cannot be written to any more."""
    key = f"reply-{reply.pk}-{reply.round}"
    try:
        with transaction.atomic():
            message, _ = send_message(
                reply.profile.user,
                content=text,
                recipient_id=reply.asker_id,
                conversation_id=reply.conversation_id,
                parent_id=_parent(reply),
                idempotency_key=IdempotencyKey(key, key),
            )
    except DomainError as error:
        logger.info("not sent: reply=%s %s", reply.pk, type(error).__name__)
        return None
    return message


def _parent(reply: Reply) -> int | None:
    """The question, while it can be seen."""
    bot: User = reply.profile.user
    seen = Message.objects.visible_to(bot).filter(conversation=reply.conversation_id, pk=reply.question_id)
    return reply.question_id if seen.exists() else None


def enqueue_next(conversation_id: str) -> None:
    """With the conversation locked, so that a question that comes in this moment finds itself the first."""
    from assistant.jobs import answer

    following = Reply.objects.unfinished().filter(conversation_id=conversation_id).order_by("pk").first()
    if following is not None:
        answer.enqueue(following.pk)
