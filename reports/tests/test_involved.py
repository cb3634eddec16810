"""Nobody works a report that they filed, or that is about them."""

import pytest
from django.test import Client

from accounts.models import User
from conftest import ApiClient
from reports.models import Report
from reports.services import file_report
from reports.tests.desks import ACTS, REPORTS, Browsers, act, page_of
from tests.factories import MessageFactory, ReportFactory

BECAUSE = {"reporter": "You filed this report", "accused": "This report is about you"}


@pytest.fixture(params=["moderator", "superuser"])
def person(request: pytest.FixtureRequest, moderator: User, superuser: User) -> User:
    return {"moderator": moderator, "superuser": superuser}[request.param]


@pytest.fixture(params=["reporter", "accused"])
def role(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def own(person: User, role: str, alice: User) -> Report:
    pair = (person, alice) if role == "accused" else (alice, person)
    message = MessageFactory(sender=pair[0], recipient=pair[1], content="What was said.")
    return file_report(pair[1], title="The title", content="What alice wrote.", message_id=message.pk)[0]


@pytest.fixture
def browser(browser_of: Browsers, person: User) -> Client:
    return browser_of(person)


def untouched(report: Report) -> bool:
    report.refresh_from_db()
    people = User.objects.filter(is_active=False)
    return (report.status, report.comment, report.assigned_to) == ("open", None, None) and not people.exists()


@pytest.mark.parametrize("name", ACTS)
def test_no_button_works(browser: Client, own: Report, role: str, name: str) -> None:
    assert BECAUSE[role] in act(browser, own, name, comment="Fine.")

    assert untouched(own)


def test_the_form_does_not_work(browser: Client, own: Report) -> None:
    assert browser.post(page_of(own), {"status": "resolved", "comment": "Fine."}).status_code == 403
    assert browser.post(f"{REPORTS}{own.pk}/delete/", {"post": "yes"}).status_code == 403

    assert untouched(own)
    page = browser.get(page_of(own)).content.decode()
    assert 'name="comment"' not in page
    assert not any(f"/{name}/" in page for name in ACTS)


@pytest.mark.parametrize("action", ["claim", "resolve", "delete_selected"])
def test_no_action_works(browser: Client, own: Report, action: str) -> None:
    other = ReportFactory()
    form = {"_selected_action": [own.pk], "action": action, "confirmed": "yes", "post": "yes"}

    assert browser.post(REPORTS, form).status_code in {200, 302, 403}
    assert untouched(own)
    if action == "delete_selected":
        return
    browser.post(REPORTS, {**form, "_selected_action": [own.pk, other.pk]})
    assert untouched(own)
    other.refresh_from_db()
    assert other.status != "open"
    asked = browser.post(REPORTS, {"_selected_action": [own.pk], "action": action}, follow=True)
    assert "filed by you, or about you" in asked.content.decode()


def test_the_queue_leads_past_it(browser: Client, own: Report) -> None:
    other = ReportFactory()

    assert browser.get(f"{REPORTS}next/")["Location"] == page_of(other)


@pytest.mark.parametrize("role", ["accused"], indirect=True)
def test_the_accused_does_not_learn_who_filed_it(
    browser: Client, own: Report, alice: User, person: User, as_user: ApiClient
) -> None:
    from_alice = file_report(alice, title="Another", content="c")[0]

    page = browser.get(page_of(own)).content.decode()
    assert "This report is about you" in page
    for hidden in ("alice", "Alice", "What alice wrote.", "What was said."):
        assert hidden not in page

    queue = browser.get(REPORTS).content.decode()
    row = next(part for part in queue.split("<tr") if f"/{own.pk}/change/" in part)
    assert "alice" not in row
    assert "(not shown to you)" in row
    for query in ("q=alice", f"reporter__id__exact={alice.pk}", "q=wrote"):
        found = browser.get(f"{REPORTS}?{query}").context["cl"].result_list
        assert own not in found
        assert (from_alice in found) == (query != "q=wrote")
    bulk = browser.post(REPORTS, {"_selected_action": [own.pk, from_alice.pk], "action": "claim"})
    assert own not in [report for report, _, _ in bulk.context["rows"]]
    assert as_user(person).get(f"/reports/{own.pk}").status_code == 404
    if person.is_superuser:
        about_alice = browser.get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()
        assert "Another" in about_alice
        assert "The title" not in about_alice


def test_others_see_and_work_it(browser_of: Browsers, own: Report, moderator: User, superuser: User) -> None:
    other = superuser if moderator.pk in (own.reporter_id, own.message_sender_id) else moderator

    page = browser_of(other).get(page_of(own)).content.decode()
    assert "What alice wrote." in page
    assert "Claimed." in act(browser_of(other), own, "claim")


def test_the_owner_reads_it_by_the_api(as_user: ApiClient, own: Report, role: str, person: User) -> None:
    status = as_user(person).get(f"/reports/{own.pk}").status_code

    assert status == (200 if role == "reporter" else 404)
