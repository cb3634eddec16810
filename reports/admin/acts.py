"""What the buttons on a report's page do: each a service, with what the page and its history then say."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.models import User
from reports.models import Report
from reports.services import claim_report, disable_sender, end_senders_sessions, moderate_report


class Act(NamedTuple):
    #: In the audit trail.
    name: str
    done: str
    #: Takes the report, who acts, and the comment typed, None where the page sent none.
    run: Callable[[Report, User, str | None], object]
    #: What it does to the sender, where it does: a row of its own, since it is on another's account.
    on_sender: tuple[str, str] | None = None


def _resolve(report: Report, actor: User, comment: str | None) -> None:
    moderate_report(report, actor=actor, status=Report.Status.RESOLVED, comment=comment)


def _reopen(report: Report, actor: User, comment: str | None) -> None:
    moderate_report(report, actor=actor, status=Report.Status.OPEN, comment=comment)


#: By the last part of the URL.
ACTS = {
    "claim": Act("report.claimed", "Claimed.", lambda report, actor, _: claim_report(report, actor=actor)),
    "resolve": Act("report.resolved", "Resolved.", _resolve),
    "reopen": Act("report.reopened", "Reopened.", _reopen),
    "disable-sender": Act(
        "report.sender_disabled",
        "Disabled the sender's account.",
        lambda report, actor, _: disable_sender(report, actor=actor),
        ("user.disabled", "Disabled over report {}."),
    ),
    "end-sessions": Act(
        "report.sender_logged_out",
        "Ended the sender's sessions.",
        lambda report, actor, _: end_senders_sessions(report, actor=actor),
        ("user.logged_out_everywhere", "Logged out everywhere over report {}."),
    ),
}
