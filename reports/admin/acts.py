"""What the buttons on a report's page do: each a service, with what the page and its history then say."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.models import User
from reports.admin.forms import CommentForm, TypedForm
from reports.models import Report
from reports.services import Seen, claim_report, disable_sender, end_senders_sessions, moderate_report


class Act(NamedTuple):
    #: In the audit trail.
    name: str
    done: str
    #: Takes the report, who acts, the text typed, None where the page sent none, and what the page showed.
    run: Callable[[Report, User, str | None, Seen], object]
    #: What it does to the sender, where it does: a row of its own, since it is on another's account.
    on_sender: tuple[str, str] | None = None
    #: The form of what the button sends along, which has what is `typed`.
    form: type[TypedForm] = CommentForm


def _resolve(report: Report, actor: User, comment: str | None, seen: Seen) -> None:
    moderate_report(report, actor=actor, status=Report.Status.RESOLVED, comment=comment, seen=seen)


def _reopen(report: Report, actor: User, comment: str | None, seen: Seen) -> None:
    moderate_report(report, actor=actor, status=Report.Status.OPEN, comment=comment, seen=seen)


#: By the last part of the URL.
ACTS = {
    "claim": Act(
        "report.claimed",
        "Claimed.",
        lambda report, actor, _, seen: claim_report(report, actor=actor, seen=seen),
    ),
    "resolve": Act("report.resolved", "Resolved.", _resolve),
    "reopen": Act("report.reopened", "Reopened.", _reopen),
    "disable-sender": Act(
        "report.sender_disabled",
        "Disabled the sender's account.",
        lambda report, actor, _, seen: disable_sender(report, actor=actor, seen=seen),
        ("user.disabled", "Disabled over report {}."),
    ),
    "end-sessions": Act(
        "report.sender_logged_out",
        "Ended the sender's sessions.",
        lambda report, actor, _, seen: end_senders_sessions(report, actor=actor, seen=seen),
        ("user.logged_out_everywhere", "Logged out everywhere over report {}."),
    ),
}
