"""What moderators do to a report, and what its reporter sees of that."""

import pytest
from time_machine import TimeMachineFixture

from accounts.models import User
from accounts.services.users import delete_user
from conftest import ApiClient
from reports.models import Report
from reports.services import moderate_report
from tests.factories import ReportFactory

NOON, LATER = "2026-01-02T12:00:00.000000Z", "2026-01-02T12:05:00.000000Z"


@pytest.fixture
def filed_report(alice: User, time_machine: TimeMachineFixture) -> Report:
    time_machine.move_to(NOON, tick=False)
    made = ReportFactory(reporter=alice)
    time_machine.move_to(LATER, tick=False)
    return made


def test_resolving_records_who_and_when(
    as_user: ApiClient, filed_report: Report, alice: User, moderator: User
) -> None:
    moderate_report(filed_report, actor=moderator, status="resolved", comment="Warned him.")

    shown = as_user(alice).get(f"/reports/{filed_report.pk}").json()
    assert (shown["status"], shown["comment"], shown["resolved_at"]) == ("resolved", "Warned him.", LATER)
    assert (shown["resolved_by"], shown["resolver_username"]) == (moderator.pk, "moderator")
    assert (shown["created_at"], shown["updated_at"]) == (NOON, LATER)


@pytest.mark.parametrize("status", ["open", "in_progress"])
def test_reopening_clears_who_and_when(
    as_user: ApiClient, filed_report: Report, alice: User, moderator: User, status: str
) -> None:
    moderate_report(filed_report, actor=moderator, status="resolved", comment="Warned him.")

    moderate_report(filed_report, actor=moderator, status=status)

    shown = as_user(alice).get(f"/reports/{filed_report.pk}").json()
    assert (shown["status"], shown["comment"]) == (status, "Warned him.")
    assert (shown["resolved_at"], shown["resolved_by"], shown["resolver_username"]) == (None, None, None)


def test_resolving_again_keeps_the_first_who_and_when(
    filed_report: Report, moderator: User, superuser: User, time_machine: TimeMachineFixture
) -> None:
    """Also for a moderator who still sees it open."""
    stale = Report.objects.get(pk=filed_report.pk)
    first = moderate_report(filed_report, actor=moderator, status="resolved", comment="Wrong.")
    time_machine.shift(60)

    moderate_report(stale, actor=superuser, status="resolved", comment="Right.")

    filed_report.refresh_from_db()
    assert (filed_report.resolved_by, filed_report.resolved_at) == (moderator, first.resolved_at)
    assert filed_report.comment == "Right."


@pytest.mark.parametrize(("comment", "kept"), [("Looking.", "Looking."), ("", None), (None, "Before.")])
def test_commenting_changes_the_comment_alone(
    filed_report: Report, moderator: User, comment: str | None, kept: str | None
) -> None:
    moderate_report(filed_report, actor=moderator, comment="Before.", status="in_progress")

    moderate_report(filed_report, actor=moderator, comment=comment)

    filed_report.refresh_from_db()
    assert (filed_report.comment, filed_report.status) == (kept, "in_progress")


def test_moderating_keeps_what_others_wrote_meanwhile(
    as_user: ApiClient, filed_report: Report, alice: User, moderator: User, superuser: User
) -> None:
    """`stale` is what a form shows that was opened before the edit and the comment."""
    stale = Report.objects.get(pk=filed_report.pk)
    as_user(alice).put(f"/reports/{filed_report.pk}", {"title": "Threats"})
    moderate_report(filed_report, actor=superuser, comment="Looking.")

    moderate_report(stale, actor=moderator, status="in_progress")

    filed_report.refresh_from_db()
    assert (filed_report.title, filed_report.comment, filed_report.status) == (
        "Threats",
        "Looking.",
        "in_progress",
    )


def test_resolution_outlives_the_resolvers_account(
    as_user: ApiClient, filed_report: Report, alice: User, moderator: User, superuser: User
) -> None:
    moderate_report(filed_report, actor=moderator, status="resolved")

    delete_user(moderator, actor=superuser)

    shown = as_user(alice).get(f"/reports/{filed_report.pk}").json()
    assert (shown["status"], shown["resolved_at"]) == ("resolved", LATER)
    assert (shown["resolved_by"], shown["resolver_username"]) == (None, None)


def test_report_outlives_the_reporters_account(
    as_user: ApiClient, filed_report: Report, alice: User, superuser: User
) -> None:
    delete_user(alice, actor=superuser)

    shown = as_user(superuser).get(f"/reports/{filed_report.pk}")
    assert shown.status_code == 200
    assert (shown.json()["reporter_id"], shown.json()["reporter_username"]) == (None, None)
