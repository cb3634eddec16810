"""What changes reports, for the API and the admin alike."""

import logging
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.events import EndReason
from accounts.models import User
from accounts.services.sessions import log_out_everywhere
from accounts.services.users import disable_user
from aimessage.api.idempotency import IdempotencyKey, create_once, forget_keys
from aimessage.api.problems import Conflict, Forbidden, Invalid, NotFound, Reason
from aimessage.server.metrics import REPORTS_FILED, count
from messaging.models import Message
from reports import extensions
from reports.context import keep_context
from reports.events import REPORT_CREATED, REPORT_UPDATED, record_report
from reports.models import Report

REPORT_NOT_FOUND = Reason("Report not found")
NO_SUCH_MESSAGE = Reason("There is no such message", "does_not_exist", field="message_id")
NOT_OPEN = Reason("Cannot update a report that is not in open status", "not_open")
NOT_REPORTER = Reason("Only the reporter can update this report")
#: Characters of a comment that a refusal shows.
COMMENT_SHOWN = 200

logger = logging.getLogger("reports")


@dataclass(frozen=True)
class Seen:
    """What the page of a moderator showed of a report; None for what it did not send along."""

    version: str | None = None
    status: str | None = None
    comment: str | None = None


def file_report(
    reporter: User,
    *,
    title: str,
    content: str,
    message_id: int | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> tuple[Report, bool]:
    """Files a report, about a message or not; returns it, and whether it is new or a replay.

    What the message says now is kept with the report, and so are the messages around it. Raises Invalid for
    a message that the reporter cannot see, Unprocessable for a key that was used with another payload.
    """

    def make(key: dict[str, str]) -> Report:
        message = _find_message(reporter, message_id) if message_id is not None else None
        report = Report(reporter=reporter, title=title, content=content, message=message, **key)
        if message is not None:
            report.message_content = message.content
            report.message_sender_id = message.sender_id
        report.save(force_insert=True)
        if message is not None:
            keep_context(report, message)
        record_report(REPORT_CREATED, report, of_reporter=False)
        count(REPORTS_FILED)
        return report

    report, is_new = create_once(
        lambda: Report.objects.filed_by(reporter).with_names(), idempotency_key, make
    )
    said = "filed" if is_new else "replayed"
    logger.info("%s: report=%s reporter=%s message=%s", said, report.pk, reporter.pk, message_id)
    return report, is_new


def _find_message(reporter: User, message_id: int) -> Message:
    # The lock keeps its sender from deleting it until the report has what it says.
    seen = Message.objects.visible_to(reporter).select_for_update(no_key=True)
    message = seen.filter(pk=message_id).first()
    if message is None:
        raise Invalid(NO_SUCH_MESSAGE)
    return message


@transaction.atomic
def update_report(report: Report, *, editor: User, **changed: str) -> Report:
    """Changes title or content. Raises Forbidden for others, Invalid once it is not open any more."""
    if report.reporter_id != editor.pk:
        raise Forbidden(NOT_REPORTER)
    # Until commit no moderator can take up the text that is about to change.
    current = Report.objects.select_for_update(no_key=True).filter(pk=report.pk).first()
    if current is None:
        raise NotFound(REPORT_NOT_FOUND)
    if current.status != Report.Status.OPEN:
        raise Invalid(NOT_OPEN)
    if changed:
        for name, value in changed.items():
            setattr(report, name, value)
        report.save(update_fields=[*changed, "updated_at"])
        record_report(REPORT_UPDATED, report)
        logger.info("updated: report=%s reporter=%s", report.pk, editor.pk)
    return report


@transaction.atomic
def moderate_report(
    report: Report,
    *,
    actor: User,
    status: str | None = None,
    comment: str | None = None,
    seen: Seen | None = None,
) -> Report:
    """Sets status and comment, each where given.

    Resolving records who and when; reopening clears both, and who works on it. Raises Conflict
    where the report is no more what `actor` has `seen`, or is resolved already, Forbidden where it involves
    `actor`.
    """
    current = _lock_to_work(report, actor)
    _refuse_stale(current, seen)
    if seen is not None and status == current.status == Report.Status.RESOLVED:
        raise Conflict(f"{current.resolver_username or 'Somebody'} has resolved this report already")
    if status in (None, current.status) and comment in (None, current.comment or ""):
        return current
    if comment is not None:
        current.comment = comment or None
    decided = status is not None and status != current.status
    if status is not None and decided:
        resolved = status == Report.Status.RESOLVED
        current.status = status
        current.resolved_at = timezone.now() if resolved else None
        current.resolved_by = actor if resolved else None
        if status == Report.Status.OPEN:
            current.assigned_to = None
    current.save(
        update_fields=["comment", "status", "resolved_at", "resolved_by", "assigned_to", "updated_at"]
    )
    for follow in extensions.status_followers if decided else []:
        follow(current)
    record_report(REPORT_UPDATED, current)
    logger.info("moderated: report=%s status=%s by=%s", current.pk, current.status, actor.pk)
    return current


@transaction.atomic
def claim_report(report: Report, *, actor: User, seen: Seen | None = None) -> Report:
    """Puts a report in progress under the name of `actor`; again by the same is harmless.

    Raises Conflict where somebody else works on it, it is resolved, or it is no more what `actor` has `seen`,
    Forbidden where it involves `actor`.
    """
    current = _lock_to_work(report, actor)
    if current.status == Report.Status.RESOLVED:
        raise Conflict("This report is resolved already")
    if current.assigned_to_id not in (actor.pk, None):
        raise Conflict(f"{current.assignee_username} is working on this report")
    _refuse_stale(current, seen)
    if current.assigned_to_id == actor.pk and current.status == Report.Status.IN_PROGRESS:
        return current
    current.status, current.assigned_to = Report.Status.IN_PROGRESS, actor
    current.save(update_fields=["status", "assigned_to", "updated_at"])
    record_report(REPORT_UPDATED, current)
    logger.info("claimed: report=%s by=%s", current.pk, actor.pk)
    return current


def _lock_to_work(report: Report, actor: User) -> Report:
    """The report as it stands, locked: two who work it at once come one after the other, and the second sees
    what the first did. Raises NotFound, or Forbidden where it involves `actor`."""
    current: Report | None = Report.objects.select_for_update(no_key=True).filter(pk=report.pk).first()
    if current is None:
        raise NotFound(REPORT_NOT_FOUND)
    _refuse_involved(current, actor)
    return current


def _refuse_involved(report: Report, actor: User) -> None:
    if report.message_sender_id == actor.pk:
        raise Forbidden("This report is about you, so somebody else must work it")
    if report.reporter_id == actor.pk:
        raise Forbidden("You filed this report, so somebody else must work it")


def _refuse_stale(current: Report, seen: Seen | None) -> None:
    """Raises Conflict, which says what happened meanwhile, where `current` is not what was `seen`."""
    if seen is None:
        return
    shown = seen.version or current.version
    text, _, decision = shown.partition(".")
    text_now, _, decision_now = current.version.partition(".")
    happened = ["the reporter changed the text"] if text != text_now else []
    if (
        decision != decision_now
        or seen.status not in (None, current.status)
        or (seen.comment is not None and _lines(seen.comment) != _lines(current.comment or ""))
    ):
        happened.append(_decision(current))
    if happened:
        raise Conflict(f"This page was out of date, and nothing was done: {', and '.join(happened)}")


def _lines(text: str) -> str:
    """As it was before a browser sent it."""
    return text.replace("\r\n", "\n")


def _decision(report: Report) -> str:
    """How a report stands, as something that happened."""
    if report.status == Report.Status.RESOLVED:
        said = f"{report.resolver_username or 'somebody'} resolved it"
    elif report.assigned_to_id is not None:
        said = f"{report.assignee_username} is working on it"
    else:
        said = f"it was changed, and is {report.get_status_display().lower()}"
    if not report.comment:
        return said
    comment = report.comment
    short = comment if len(comment) <= COMMENT_SHOWN else f"{comment[:COMMENT_SHOWN]}..."
    return f"{said}, with the comment \u201c{short}\u201d"


@transaction.atomic
def disable_sender(report: Report, *, actor: User, seen: Seen | None = None) -> None:
    """Disables who sent the reported message.

    Raises Invalid where there is no sender any more, Forbidden where the report involves `actor`, or for
    somebody who works in the admin unless `actor` is a superuser, Conflict where the report is no more what
    `actor` has `seen`, and what disable_user raises.
    """
    sender = _find_sender(report, actor, seen)
    disable_user(sender, actor=actor)
    # The row is ours now. If the sender became staff since the check above, we let go again.
    sender.refresh_from_db(fields=["is_staff"])
    _refuse_staff(sender, actor)
    logger.info("sender disabled: report=%s user=%s by=%s", report.pk, sender.pk, actor.pk)


@transaction.atomic
def end_senders_sessions(report: Report, *, actor: User, seen: Seen | None = None) -> None:
    """Logs out everywhere who sent the reported message; raises as disable_sender does."""
    sender = _find_sender(report, actor, seen)
    note = f"ended by user {actor.pk} over report {report.pk}"
    log_out_everywhere(sender, reason=EndReason.ADMIN, note=note)
    logger.info("sender logged out: report=%s user=%s by=%s", report.pk, sender.pk, actor.pk)


def _find_sender(report: Report, actor: User, seen: Seen | None) -> User:
    _refuse_involved(report, actor)
    # Not locked: a deletion of the sender locks the user first, and the reports about them after.
    current = Report.objects.filter(pk=report.pk).first()
    if current is None:
        raise NotFound(REPORT_NOT_FOUND)
    _refuse_stale(current, seen)
    sender: User | None = User.objects.filter(pk=report.message_sender_id).first()
    if sender is None:
        raise Invalid("There is no sender any more")
    _refuse_staff(sender, actor)
    return sender


def _refuse_staff(sender: User, actor: User) -> None:
    if sender.is_staff and not actor.is_superuser:
        raise Forbidden("Only a superuser may do this to somebody who works in the admin")


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Lets old reports forget what nobody asks for any more; returns how many of what."""
    return {"idempotency keys of reports": forget_keys(Report.objects.all(), dry_run=dry_run)}
