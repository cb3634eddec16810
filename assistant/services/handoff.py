"""Handing a user over to a person, who answers from the admin, and back to the assistant.

Meanwhile the assistant answers nothing. Afterwards it sees only what follows, so that it neither goes on
about what the person has settled nor takes that person's words for its own.

Locks come in this order: the report that is decided, or else the conversation; then the reply; then the
thread.
"""

import logging

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from aimessage.api.problems import THROTTLED, Conflict, Forbidden, Invalid, TooManyRequests
from aimessage.api.throttles import seconds_to_wait
from aimessage.db.text import is_visible
from assistant.account import get_profile, get_thread
from assistant.models import Profile, Reply, Thread
from assistant.services.finishing import end
from messaging.models import CONTENT_MAX_LENGTH, Message, default_conversation_id
from messaging.services.messages import BLOCKED, send_message
from reports.models import Report
from reports.services import file_report

#: What a user writes, alone, to be handed over.
COMMAND = "/human"
TITLE = "Asks for a person"
NO_REASON = "They gave no reason."
HANDED_OVER = (
    "I have asked a person to look at this. They can read what was written here since yesterday, and will"
    " answer here. Until they are done, I do not answer."
)
#: Why a reply was skipped.
REASON = "handed_over"
ANSWERS_AGAIN = "The assistant answers again in this conversation, so nothing was sent"

logger = logging.getLogger("aimessage.assistant")


def asks_for_person(content: str) -> bool:
    return content.strip().casefold() == COMMAND


def is_handed_over(user: User, profile: Profile) -> bool:
    """Whether a person has taken over. Once the report is deleted nobody could end that, so it ends here."""
    thread = Thread.objects.filter(user=user, profile=profile).first()
    if thread is None or thread.paused_at is None:
        return False
    if thread.paused_report_id is None:
        resume(thread)
        return False
    return True


def hand_over(user: User, *, reason: str = "") -> tuple[Report, bool]:
    """For the endpoint: asks for a person; returns the report, and whether it is new.

    Raises Forbidden where the assistant is not for `user`, TooManyRequests.
    """
    profile = get_profile()
    if not Profile.objects.open_to(user).filter(pk=profile.pk).exists():
        raise Forbidden(BLOCKED)
    conversation = default_conversation_id(user.pk, profile.user_id)
    thread = get_thread(user, profile)
    try:
        with transaction.atomic():
            # First, since it makes the conversation, or locks it.
            _send(profile, thread, conversation, HANDED_OVER)
            report = _pause(thread, conversation, reason)
            _skip_open(thread, conversation)
    except _HandedOver as standing:
        return standing.report, False
    return report, True


def hand_over_question(reply: Reply) -> None:
    """For the command: the same in the transaction of the question, whose reply nobody has begun."""
    thread = get_thread(reply.asker, reply.profile)
    try:
        _pause(thread, reply.conversation_id, "")
    except _HandedOver:
        end(reply, Reply.State.SKIPPED, text="", reason=REASON)
        return
    end(reply, Reply.State.DONE, text=HANDED_OVER, reason=None)
    _skip_open(thread, reply.conversation_id)


def hand_over_reply(reply: Reply, *, reason: str) -> Report:
    """For the tool: the same in the transaction of a step, which ends the reply."""
    thread = get_thread(reply.asker, reply.profile)
    try:
        report = _pause(thread, reply.conversation_id, reason)
    except _HandedOver as standing:
        end(reply, Reply.State.SKIPPED, text="", reason=REASON)
        return standing.report
    end(reply, Reply.State.DONE, text=HANDED_OVER, reason=None)
    _skip_open(thread, reply.conversation_id)
    return report


class _HandedOver(Exception):
    """Somebody was faster."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def _pause(thread: Thread, conversation: str, reason: str) -> Report:
    # The second of two at once waits here, and finds the report of the first.
    current = Thread.objects.select_for_update(of=("self",)).select_related("paused_report").get(pk=thread.pk)
    if current.is_paused and current.paused_report is not None:
        raise _HandedOver(current.paused_report)
    wait = seconds_to_wait("report", str(thread.user_id))
    if wait is not None:
        raise TooManyRequests(THROTTLED.format(wait=round(wait) or 1), retry_after=wait)
    content = reason if is_visible(reason) else NO_REASON
    report, _ = file_report(thread.user, title=TITLE, content=content[:CONTENT_MAX_LENGTH])
    Thread.objects.filter(pk=thread.pk).update(
        paused_at=timezone.now(), paused_report=report, paused_conversation_id=conversation
    )
    logger.info("handed over: user=%s report=%s", thread.user_id, report.pk)
    return report


def _skip_open(thread: Thread, conversation: str) -> None:
    """Ends what is being answered in the conversation, and what waits there."""
    waiting = Reply.objects.unfinished().filter(conversation_id=conversation, profile=thread.profile)
    for reply in (
        waiting.select_for_update(of=("self",)).select_related("asker", "profile__user").order_by("pk")
    ):
        end(reply, Reply.State.SKIPPED, text="", reason=REASON)


def _send(profile: Profile, thread: Thread, conversation: str, content: str) -> Message:
    message, _ = send_message(
        profile.user, content=content, recipient_id=thread.user_id, conversation_id=conversation
    )
    return message


@transaction.atomic
def resume(thread: Thread) -> bool:
    """Lets the assistant answer again; False where it does already."""
    current = Thread.objects.select_for_update().filter(pk=thread.pk, paused_at__isnull=False)
    if not current.exists():
        return False
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    current.update(paused_at=None, paused_report=None, paused_conversation_id="", context_after=newest)
    logger.info("answers again: user=%s", thread.user_id)
    return True


def take_back(user: User) -> bool:
    """For the endpoint: the user does not want a person any more."""
    thread = Thread.objects.filter(user=user, profile=get_profile()).first()
    return thread is not None and resume(thread)


def follow_report(report: Report) -> None:
    """In the transaction that changes the status of a report."""
    if report.status == Report.Status.RESOLVED:
        for thread in Thread.objects.filter(paused_report=report):
            resume(thread)


def thread_of(report: Report) -> Thread | None:
    """The thread that `report` has handed over, None where the assistant answers again."""
    threads = Thread.objects.paused().filter(paused_report=report)
    found: Thread | None = threads.select_related("user", "profile__user").first()
    return found


@transaction.atomic
def answer_as_person(report: Report, *, actor: User, text: str) -> Message:
    """Sends the answer of a moderator, led by their name, from the assistant's account.

    Raises Forbidden for who filed the report or where the user has blocked the assistant, Conflict where the
    assistant answers again, Invalid for a text that is too long or empty.
    """
    if report.involves(actor):
        raise Forbidden("You filed this report, so somebody else must answer")
    thread = thread_of(report)
    if thread is None:
        raise Conflict(ANSWERS_AGAIN)
    content = f"{actor.full_name or actor.username} (support): {text}"
    if not is_visible(text):
        raise Invalid("Write something")
    if len(content) > CONTENT_MAX_LENGTH:
        raise Invalid(f"An answer has at most {CONTENT_MAX_LENGTH} characters, with your name")
    message = _send(thread.profile, thread, thread.paused_conversation_id, content)
    # Nobody resolved it meanwhile: the assistant would take this for its own words.
    if not Thread.objects.select_for_update().filter(pk=thread.pk, paused_report=report).exists():
        raise Conflict(ANSWERS_AGAIN)
    logger.info("answered by a person: report=%s message=%s by=%s", report.pk, message.pk, actor.pk)
    return message
