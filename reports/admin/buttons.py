"""The buttons on a report's page."""

from django.http import QueryDict

from aimessage.backoffice.buttons import Button, Press, Upon
from reports.admin.forms import CommentForm
from reports.models import Report
from reports.services import Seen, claim_report, disable_sender, end_senders_sessions, moderate_report


def seen_in(sent: QueryDict) -> Seen:
    names = {"version": "seen", "status": "initial-status", "comment": "initial-comment"}
    return Seen(**{name: sent.get(key) for name, key in names.items()})


def _claim(report: Report, press: Press) -> str:
    claim_report(report, actor=press.actor, seen=seen_in(press.sent))
    return "Claimed."


def _resolve(report: Report, press: Press) -> str:
    resolved = Report.Status.RESOLVED
    moderate_report(report, actor=press.actor, status=resolved, comment=press.text, seen=seen_in(press.sent))
    return "Resolved."


def _reopen(report: Report, press: Press) -> str:
    opened = Report.Status.OPEN
    moderate_report(report, actor=press.actor, status=opened, comment=press.text, seen=seen_in(press.sent))
    return "Reopened."


def _disable_sender(report: Report, press: Press) -> str:
    disable_sender(report, actor=press.actor, seen=seen_in(press.sent))
    return "Disabled the sender's account."


def _end_sessions(report: Report, press: Press) -> str:
    end_senders_sessions(report, actor=press.actor, seen=seen_in(press.sent))
    return "Ended the sender's sessions."


def _upon_sender(act: str, done: str) -> Upon:
    return Upon(lambda report: report.message_sender, act, lambda report: f"{done} over report {report.pk}.")


BUTTONS = {
    "claim": Button("report.claimed", _claim, form=CommentForm),
    "resolve": Button("report.resolved", _resolve, form=CommentForm),
    "reopen": Button("report.reopened", _reopen, form=CommentForm),
    "disable-sender": Button(
        "report.sender_disabled", _disable_sender, _upon_sender("user.disabled", "Disabled"), CommentForm
    ),
    "end-sessions": Button(
        "report.sender_logged_out",
        _end_sessions,
        _upon_sender("user.logged_out_everywhere", "Logged out everywhere"),
        CommentForm,
    ),
}
