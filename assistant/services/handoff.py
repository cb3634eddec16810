"""Hands a user over to a person, who answers from the admin, and back to the assistant.

Meanwhile the assistant does not answer. Afterwards it sees only later messages, so that it neither repeats
what is settled nor takes the person's words for its own.

Lock order: the report that is being decided, or else the conversation; then the reply; then the thread.
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

#: A message with only this text asks for a person.
COMMAND = "/human"
TITLE = "Asks for a person"
NO_REASON = "They gave no reason."
HANDED_OVER = (
    "I have asked a person to look at this. They can read what was written here since yesterday, and will"
    " answer here. Until they are done, I do not answer."
)
#: The reason of replies that are skipped.
REASON = "handed_over"
ANSWERS_AGAIN = "The assistant answers again in this conversation, so nothing was sent"

logger = logging.getLogger("aimessage.assistant")


def asks_for_person(content: str) -> bool:
    return content.strip().casefold() == COMMAND


def is_handed_over(user: User, profile: Profile) -> bool:
    thread = Thread.objects.filter(user=user, profile=profile).first()
    if thread is None or thread.paused_at is None:
        return False
    if thread.paused_report_id is None:
        # The report was deleted, so that nobody else could end the pause.
        resume(thread)
        return False
    return True


def hand_over(user: User, *, reason: str = "") -> tuple[Report, bool]:
    """Asks for a person, for the endpoint. Returns the report, and whether it is new.

    Raises Forbidden if the assistant is not for `user`, and TooManyRequests.
    """
    profile = get_profile()
    if not Profile.objects.open_to(user).filter(pk=profile.pk).exists():
        raise Forbidden(BLOCKED)
    conversation = default_conversation_id(user.pk, profile.user_id)
    thread = get_thread(user, profile)
    try:
        with transaction.atomic():
            # First: it creates or locks the conversation.
            _send(profile, thread, conversation, HANDED_OVER)
            report = _pause(thread, conversation, reason)
            _skip_open(thread, conversation)
    except _AlreadyHandedOver as earlier:
        return earlier.report, False
    return report, True


def hand_over_question(reply: Reply) -> None:
    """Hands over for the command, in the transaction of the question. Its reply has not started."""
    thread = get_thread(reply.asker, reply.profile)
    try:
        _pause(thread, reply.conversation_id, "")
    except _AlreadyHandedOver:
        end(reply, Reply.State.SKIPPED, text="", reason=REASON)
        return
    end(reply, Reply.State.DONE, text=HANDED_OVER, reason=None)
    _skip_open(thread, reply.conversation_id)


def hand_over_reply(reply: Reply, *, reason: str) -> Report:
    """Hands over for the tool, in the transaction of the step. Ends the reply."""
    thread = get_thread(reply.asker, reply.profile)
    try:
        report = _pause(thread, reply.conversation_id, reason)
    except _AlreadyHandedOver as earlier:
        end(reply, Reply.State.SKIPPED, text="", reason=REASON)
        return earlier.report
    end(reply, Reply.State.DONE, text=HANDED_OVER, reason=None)
    _skip_open(thread, reply.conversation_id)
    return report


class _AlreadyHandedOver(Exception):
    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def _pause(thread: Thread, conversation: str, reason: str) -> Report:
    # The second of two concurrent requests waits here, and then finds the report of the first.
    current = Thread.objects.select_for_update(of=("self",)).select_related("paused_report").get(pk=thread.pk)
    if current.is_paused and current.paused_report is not None:
        raise _AlreadyHandedOver(current.paused_report)
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
    """Lets the assistant answer again. Returns False if it was not paused."""
    current = Thread.objects.select_for_update().filter(pk=thread.pk, paused_at__isnull=False)
    if not current.exists():
        return False
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    current.update(paused_at=None, paused_report=None, paused_conversation_id="", context_after=newest)
    logger.info("answers again: user=%s", thread.user_id)
    return True


def take_back(user: User) -> bool:
    thread = Thread.objects.filter(user=user, profile=get_profile()).first()
    return thread is not None and resume(thread)


def follow_report(report: Report) -> None:
    """Resumes the assistant when the report is resolved, in the transaction of that change."""
    if report.status == Report.Status.RESOLVED:
        for thread in Thread.objects.filter(paused_report=report):
            resume(thread)


def paused_thread_of(report: Report) -> Thread | None:
    threads = Thread.objects.paused().filter(paused_report=report)
    return threads.select_related("user", "profile__user").first()


@transaction.atomic
def answer_as_person(report: Report, *, actor: User, text: str) -> Message:
    """Sends a moderator's answer, which starts with their name, from the assistant's account.

    Raises Forbidden if the moderator filed the report or the user has blocked the assistant, Conflict if the
    assistant answers again, and Invalid if the text is empty or too long.
    """
    if report.involves(actor):
        raise Forbidden("You filed this report, so somebody else must answer")
    thread = paused_thread_of(report)
    if thread is None:
        raise Conflict(ANSWERS_AGAIN)
    content = f"{actor.full_name or actor.username} (support): {text}"
    if not is_visible(text):
        raise Invalid("Write something")
    if len(content) > CONTENT_MAX_LENGTH:
        raise Invalid(f"An answer has at most {CONTENT_MAX_LENGTH} characters, with your name")
    message = _send(thread.profile, thread, thread.paused_conversation_id, content)
    # Closes a race with resolving the report: the assistant would take this answer for its own words.
    if not Thread.objects.select_for_update().filter(pk=thread.pk, paused_report=report).exists():
        raise Conflict(ANSWERS_AGAIN)
    logger.info("answered by a person: report=%s message=%s by=%s", report.pk, message.pk, actor.pk)
    return message
