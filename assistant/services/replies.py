"""What askers can do with their replies: cancel and retry."""

from django.db import transaction
from django.utils import timezone

from aimessage.api.problems import Conflict, Reason
from assistant.models import Reply
from assistant.services.claiming import lock_conversation
from assistant.services.finishing import end

REPLY_NOT_FOUND = Reason("Reply not found")
NOT_FAILED = Reason("Only a reply that failed can be tried again")


@transaction.atomic
def cancel_reply(reply: Reply) -> None:
    """Ends a reply with the text so far as its answer. A worker that has it notices, and stops."""
    current = _lock(reply)
    if current.is_open:
        # Takes the lease away from the worker.
        Reply.objects.filter(pk=current.pk).update(attempt=current.attempt + 1)
        end(current, Reply.State.CANCELLED, text=current.text, reason=None)


@transaction.atomic
def retry_reply(reply: Reply) -> Reply:
    """Enqueues a failed reply again; it reuses the steps taken. Raises Conflict if it has not failed."""
    from assistant.jobs import answer

    current = _lock(reply)
    if current.state != Reply.State.FAILED:
        raise Conflict(NOT_FAILED)
    anew = {"state": Reply.State.QUEUED, "round": current.round + 1, "failures": 0, "due_at": timezone.now()}
    unanswered = {"answer": None, "reason": None, "text": "", "started_at": None, "finished_at": None}
    Reply.objects.filter(pk=current.pk).update(**anew, **unanswered)
    answer.enqueue(current.pk)
    current.refresh_from_db()
    return current


def _lock(reply: Reply) -> Reply:
    lock_conversation(reply.conversation_id)
    return Reply.objects.select_for_update(of=("self",)).select_related("profile__user").get(pk=reply.pk)
