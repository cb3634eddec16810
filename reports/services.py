"""Services that write reports, for the API and the admin alike."""

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
#: Characters of a comment that a refusal quotes.
COMMENT_SHOWN = 200

logger = logging.getLogger("reports")


@dataclass(frozen=True)
class Seen:
    """What a moderator's page showed of a report; None for what it did not send along."""

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
    """Files a report; returns it, and whether it is new or the replay of an idempotency key.

    Stores the message's text, and the messages around it, with the report. Raises Invalid for a message that
    the reporter cannot see, Unprocessable for a key that was used with another payload.
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
    # Until the report has stored its text, the lock keeps the sender from deleting the message.
    seen = Message.objects.visible_to(reporter).select_for_update(no_key=True)
    message = seen.filter(pk=message_id).first()
    if message is None:
        raise Invalid(NO_SUCH_MESSAGE)
    return message


@transaction.atomic
def update_report(report: Report, *, editor: User, **changed: str) -> Report:
    """Changes title or content.

    Raises Forbidden for anyone but the reporter, Invalid if the report is not open, NotFound if it is gone.
    """
    if report.reporter_id != editor.pk:
        raise Forbidden(NOT_REPORTER)
    # Until the commit no moderator can take up a text that is about to change.
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
    """Sets status and comment, each unless it is None.

    Resolving records who and when; reopening clears both, and the assignment. Raises Conflict if the report
    has changed since `seen`, or is resolved already; Forbidden if it involves `actor`; NotFound if it is
    gone.
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
    """Assigns a report to `actor` and puts it in progress; does nothing if it is theirs already.

    Raises Conflict if somebody else works on it, if it is resolved, or if it has changed since `seen`;
    Forbidden if it involves `actor`; NotFound if it is gone.
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
    # The lock puts moderators who act at once in a row: the second sees what the first did.
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
    # Browsers send line ends as \r\n.
    return text.replace("\r\n", "\n")


def _decision(report: Report) -> str:
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
    """Disables the account that sent the reported message.

    Raises Invalid if that account is gone; Forbidden if the report involves `actor`, or if the sender is
    staff and `actor` no superuser; Conflict if the report has changed since `seen`; NotFound if the report is
    gone; and what disable_user raises.
    """
    sender = _find_sender(report, actor, seen)
    disable_user(sender, actor=actor)
    # disable_user has locked the row. If the sender became staff since the first check, this undoes it all.
    sender.refresh_from_db(fields=["is_staff"])
    _refuse_staff(sender, actor)
    logger.info("sender disabled: report=%s user=%s by=%s", report.pk, sender.pk, actor.pk)


@transaction.atomic
def end_senders_sessions(report: Report, *, actor: User, seen: Seen | None = None) -> None:
    """Ends all sessions of the account that sent the reported message; raises as disable_sender does."""
    sender = _find_sender(report, actor, seen)
    note = f"ended by user {actor.pk} over report {report.pk}"
    log_out_everywhere(sender, reason=EndReason.ADMIN, note=note)
    logger.info("sender logged out: report=%s user=%s by=%s", report.pk, sender.pk, actor.pk)


def _find_sender(report: Report, actor: User, seen: Seen | None) -> User:
    _refuse_involved(report, actor)
    # Not locked, because deleting the sender locks the user first and then the reports about them.
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
    """Clears old idempotency keys; returns the counts by name."""
    return {"idempotency keys of reports": forget_keys(Report.objects.all(), dry_run=dry_run)}
