"""Who works on which report."""

from functools import partial
from typing import Any

import pytest

from accounts.models import User
from aimessage.api.problems import Conflict, DomainError, NotFound
from aimessage.tests.threads import run_together
from conftest import ApiClient
from reports.models import Report
from reports.services import claim_report, moderate_report
from tests.factories import ReportFactory, UserFactory


def test_claiming_puts_it_in_progress_under_ones_name(moderator: User, report: Report) -> None:
    claim_report(report, actor=moderator)

    report.refresh_from_db()
    assert (report.status, report.assigned_to) == ("in_progress", moderator)


def test_the_second_is_told_who_has_it(moderator: User, superuser: User, report: Report) -> None:
    claim_report(report, actor=moderator)

    with pytest.raises(Conflict, match=r"^moderator is working on this report$"):
        claim_report(report, actor=superuser)

    report.refresh_from_db()
    assert report.assigned_to == moderator


def test_claiming_ones_own_again_is_harmless(moderator: User, report: Report) -> None:
    claim_report(report, actor=moderator)
    claim_report(report, actor=moderator)

    report.refresh_from_db()
    assert (report.status, report.assigned_to) == ("in_progress", moderator)


def test_what_is_in_progress_under_no_name_can_be_claimed(moderator: User, report: Report) -> None:
    moderate_report(report, actor=moderator, status="in_progress")

    assert claim_report(report, actor=moderator).assigned_to == moderator


def test_what_is_resolved_cannot_be_claimed(moderator: User, report: Report) -> None:
    moderate_report(report, actor=moderator, status="resolved")

    with pytest.raises(Conflict, match="resolved already"):
        claim_report(report, actor=moderator)


def test_what_is_gone_cannot_be_claimed(moderator: User, report: Report) -> None:
    Report.objects.filter(pk=report.pk).delete()

    with pytest.raises(NotFound):
        claim_report(report, actor=moderator)


def test_reopening_makes_it_anyones(moderator: User, superuser: User, report: Report) -> None:
    claim_report(report, actor=moderator)

    moderate_report(report, actor=superuser, status="open")

    report.refresh_from_db()
    assert (report.status, report.assigned_to) == ("open", None)
    claim_report(report, actor=superuser)


@pytest.mark.parametrize(
    "change", [{"comment": "Looking."}, {"status": "in_progress"}, {"status": "resolved"}]
)
def test_other_changes_leave_the_name(
    moderator: User, superuser: User, report: Report, change: dict[str, str]
) -> None:
    claim_report(report, actor=moderator)

    moderate_report(report, actor=superuser, **change)

    report.refresh_from_db()
    assert report.assigned_to == moderator


def test_the_report_outlives_the_account_of_who_works_on_it(moderator: User, report: Report) -> None:
    claim_report(report, actor=moderator)

    moderator.delete()

    report.refresh_from_db()
    assert (report.status, report.assigned_to) == ("in_progress", None)


def test_the_api_tells_nothing_of_it(
    as_user: ApiClient, alice: User, superuser: User, report: Report
) -> None:
    claim_report(report, actor=superuser)

    answers: list[Any] = [
        as_user(alice).get("/reports").json()[0],
        as_user(alice).get(f"/reports/{report.pk}").json(),
        as_user(superuser).get(f"/reports/{report.pk}").json(),
    ]

    for answer in answers:
        assert answer["status"] == "in_progress"
        assert not {"assigned_to", "assigned_to_id", "assignee_username"} & set(answer)
        assert "root" not in answer.values()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_who_claim_at_once_one_wins() -> None:
    def claim(report: Report, actor: User) -> User | str:
        try:
            claim_report(report, actor=actor)
        except DomainError as error:
            return error.detail
        return actor

    actors = UserFactory.create_batch(2, is_staff=True)
    for _ in range(10):
        report = ReportFactory()

        outcomes = run_together(*(partial(claim, report, actor) for actor in actors))

        report.refresh_from_db()
        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, User)]
        assert report.assigned_to == winner
        assert f"{winner.username} is working on this report" in outcomes
