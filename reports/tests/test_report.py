"""GET, PUT and PATCH /reports/{id}."""

from typing import Any

import pytest
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from messaging.tests.answers import NO_IDS, faults, problem
from reports.models import Report
from reports.services import moderate_report
from tests.factories import MessageFactory, ReportFactory

NOT_OPEN = (400, "Cannot update a report that is not in open status")


@pytest.fixture
def plain_report(alice: User) -> Report:
    return ReportFactory(reporter=alice, title="Insults", content="He goes on.")


def test_report_is_shown_to_its_owner_and_superusers(
    as_user: ApiClient, plain_report: Report, alice: User, superuser: User
) -> None:
    answers = [as_user(user).get(f"/reports/{plain_report.pk}") for user in (alice, superuser)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert (answers[0].json()["id"], answers[0].json()["title"]) == (plain_report.pk, "Insults")


@pytest.mark.parametrize("method", ["get", "put", "patch"])
@pytest.mark.parametrize("who", ["bob", "moderator"])
def test_report_does_not_exist_for_anyone_else(
    as_user: ApiClient, plain_report: Report, method: str, who: str, request: pytest.FixtureRequest
) -> None:
    call = getattr(as_user(request.getfixturevalue(who)), method)

    strange = call(f"/reports/{plain_report.pk}", {"title": "Forged"})
    missing = call(f"/reports/{plain_report.pk + 1}", {"title": "Forged"})

    assert problem(strange) == (404, "Report not found")
    assert strange.json() == missing.json()
    assert Report.objects.get().title == "Insults"


def test_report_does_not_exist_for_the_one_it_is_about(
    as_user: ApiClient, alice: User, mallory: User
) -> None:
    message = MessageFactory(sender=mallory, recipient=alice)
    report = ReportFactory(reporter=alice, message=message, message_sender=mallory)

    assert problem(as_user(mallory).get(f"/reports/{report.pk}"))[0] == 404


@pytest.mark.parametrize("raw", NO_IDS)
def test_report_is_not_found_by_what_is_no_id(
    as_user: ApiClient, plain_report: Report, alice: User, superuser: User, raw: str
) -> None:
    for user in (alice, superuser):
        client, path = as_user(user), f"/reports/{raw}"
        answers = [client.get(path), client.put(path, {}), client.patch(path, {})]

        assert [problem(answer) for answer in answers] == [(404, "Report not found")] * 3


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    "changed",
    [{"title": "Threats"}, {"content": " Worse. "}, {"title": "Threats", "content": "Worse."}],
)
def test_report_edit_changes_what_is_sent_and_moves_updated_at(
    as_user: ApiClient, alice: User, time_machine: TimeMachineFixture, method: str, changed: dict[str, str]
) -> None:
    time_machine.move_to("2026-01-02T12:00:00Z", tick=False)
    report = ReportFactory(reporter=alice, title="Insults", content="He goes on.")
    time_machine.move_to("2026-01-02T12:05:00.000001Z", tick=False)
    client = as_user(alice)
    before = client.get(f"/reports/{report.pk}").json()

    answer = getattr(client, method)(f"/reports/{report.pk}", changed)

    assert answer.status_code == 200
    assert answer.json() == {**before, **changed, "updated_at": "2026-01-02T12:05:00.000001Z"}
    assert answer.json() == client.get(f"/reports/{report.pk}").json()


@pytest.mark.parametrize("method", ["put", "patch"])
def test_report_edit_without_fields_changes_nothing(
    as_user: ApiClient, plain_report: Report, alice: User, method: str
) -> None:
    before = Report.objects.values().get()

    answer = getattr(as_user(alice), method)(f"/reports/{plain_report.pk}", {})

    assert (answer.status_code, answer.json()["title"]) == (200, "Insults")
    assert Report.objects.values().get() == before


def test_report_edit_changes_title_and_content_alone(
    as_user: ApiClient, alice: User, bob: User, plain_report: Report
) -> None:
    others = {
        "id": 777,
        "reporter_id": bob.pk,
        "message_id": MessageFactory(sender=bob, recipient=alice).pk,
        "status": "resolved",
        "comment": "x",
        "resolved_by": bob.pk,
    }
    before = Report.objects.values("id", "reporter", "message", "status", "comment", "resolved_by").get()

    answer = as_user(alice).put(f"/reports/{plain_report.pk}", {"title": "Threats", **others})

    assert (answer.status_code, answer.json()["title"]) == (200, "Threats")
    assert Report.objects.values(*before).get() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("title", value) for value in ("", "  ", "x" * 256, None, 5)],
        *[("content", value) for value in ("", " \n", "x" * 20_001, None, 5)],
    ],
)
def test_report_edit_refuses(
    as_user: ApiClient, plain_report: Report, alice: User, field: str, value: Any
) -> None:
    answer = as_user(alice).put(f"/reports/{plain_report.pk}", {field: value})

    assert faults(answer) == {field}
    kept = Report.objects.get()
    assert (kept.title, kept.content) == ("Insults", "He goes on.")


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("body", [{}, {"title": "Forged"}])
def test_report_edit_is_not_for_superusers(
    as_user: ApiClient, plain_report: Report, superuser: User, method: str, body: dict[str, str]
) -> None:
    answer = getattr(as_user(superuser), method)(f"/reports/{plain_report.pk}", body)

    assert problem(answer) == (403, "Only the reporter can update this report")
    assert Report.objects.get().title == "Insults"


def test_report_edit_of_a_superusers_own_is_like_anyones(as_user: ApiClient, superuser: User) -> None:
    report = ReportFactory(reporter=superuser)

    answer = as_user(superuser).put(f"/reports/{report.pk}", {"title": "Threats"})

    assert (answer.status_code, answer.json()["title"]) == (200, "Threats")


@pytest.mark.parametrize("status", ["in_progress", "resolved"])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_report_edit_is_over_once_it_is_taken_up(
    as_user: ApiClient, plain_report: Report, alice: User, superuser: User, status: str, method: str
) -> None:
    moderate_report(plain_report, actor=superuser, status=status)

    answer = getattr(as_user(alice), method)(f"/reports/{plain_report.pk}", {"title": "Threats"})

    assert problem(answer) == NOT_OPEN
    assert Report.objects.get().title == "Insults"


def test_report_edit_is_possible_again_once_it_is_reopened(
    as_user: ApiClient, plain_report: Report, alice: User, superuser: User
) -> None:
    for status in ("resolved", "open"):
        moderate_report(plain_report, actor=superuser, status=status)

    answer = as_user(alice).put(f"/reports/{plain_report.pk}", {"title": "Threats"})

    assert (answer.status_code, answer.json()["title"]) == (200, "Threats")
