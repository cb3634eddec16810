"""Checks messages to the assistant, and creates the replies that it owes, in the message's transaction."""

from django.conf import settings

from accounts.models import User
from aimessage.api.problems import Forbidden, NotFound, Reason, TooManyRequests
from assistant.models import Profile, Reply
from assistant.services.handoff import asks_for_person, hand_over_question, is_handed_over
from messaging.models import Message
from messaging.services.extensions import Receiver, unanswered
from messaging.services.messages import BLOCKED, RECIPIENT_NOT_FOUND

#: Unanswered questions that one user may have.
MOST_WAITING = 50
WAITING = Reason("The assistant has not answered your earlier messages yet, try again soon")
#: Seconds.
TRY_AFTER = 10


def check_question(sender: User, receiver: Receiver) -> None:
    """Raises NotFound if the assistant is off, Forbidden if it is not for `sender`, and TooManyRequests."""
    if receiver.kind != User.Kind.BOT:
        return
    profile = Profile.objects.filter(user=receiver.id).first()
    if profile is None:
        return
    if not settings.ASSISTANT.on or not profile.is_active:
        raise NotFound(RECIPIENT_NOT_FOUND)
    if not Profile.objects.open_to(sender).filter(pk=profile.pk).exists():
        raise Forbidden(BLOCKED)
    if not unanswered.get() and Reply.objects.asked_by(sender).unfinished().count() >= MOST_WAITING:
        raise TooManyRequests(WAITING, retry_after=TRY_AFTER)


def owe_reply(message: Message, receiver: Receiver) -> None:
    from assistant.jobs import answer

    sender = message.sender
    if receiver.kind != User.Kind.BOT or sender is None or sender.kind == User.Kind.BOT or unanswered.get():
        return
    profile = Profile.objects.select_related("user").filter(user=receiver.id).first()
    if profile is None or is_handed_over(sender, profile):
        return
    reply = Reply.objects.create(
        question=message, asker=sender, profile=profile, conversation_id=message.conversation_id
    )
    if asks_for_person(message.content):
        hand_over_question(reply)
        return
    # If an earlier reply is unfinished, its end enqueues this one.
    if (
        not Reply.objects.unfinished()
        .filter(conversation_id=message.conversation_id, pk__lt=reply.pk)
        .exists()
    ):
        answer.enqueue(reply.pk)
