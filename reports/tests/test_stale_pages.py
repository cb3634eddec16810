"""A decision that is sent from a page which is out of date changes nothing, and says what happened."""

import re
from html import unescape

import pytest
from django.test import Client

from accounts.models import User
from aimessage.audit.models import Entry
from conftest import ApiClient
from reports.models import Report
from reports.services import claim_report, moderate_report, update_report
from reports.tests.desks import ACTS, REPORTS, Browsers, act, page_of
from tests.factories import ReportFactory


def form_of(page: str) -> dict[str, str]:
    """What a browser would send back of a page's hidden fields."""
    inputs = re.findall(r'<input type="hidden"[^>]*>', page)
    pairs = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in inputs]
    return {name[1]: unescape(value[1]) if value else "" for name, value in pairs if name}


def look(desk: Client, report: Report) -> dict[str, str]:
    return form_of(desk.get(page_of(report)).content.decode())


def state(report: Report) -> tuple[object, ...]:
    report.refresh_from_db()
    return report.status, report.comment, report.resolved_by, report.assigned_to, report.title


def everything_sent(report: Report, sent: dict[str, str]) -> dict[str, str]:
    return {**sent, "status": "in_progress", "comment": "Mine."}


def press(desk: Client, report: Report, name: str, sent: dict[str, str]) -> str:
    if name == "save":
        answer = desk.post(page_of(report), everything_sent(report, sent), follow=True)
        return unescape(answer.content.decode())
    return unescape(act(desk, report, name, **everything_sent(report, sent)))


@pytest.mark.parametrize("name", ["save", *ACTS])
def test_what_another_decided_meanwhile_stays(
    desk: Client, superuser: User, bob: User, report: Report, name: str
) -> None:
    sent = look(desk, report)
    moderate_report(report, actor=superuser, status="resolved", comment="Warned him.")
    before = state(report)

    page = press(desk, report, name, sent)

    assert state(report) == before
    bob.refresh_from_db()
    assert bob.is_active
    if name != "claim":  # which says that it is resolved already
        assert "root resolved it, with the comment “Warned him.”" in page
        assert "out of date, and nothing was done" in page
    acts = Entry.objects.exclude(act="conversation.read").values_list("act", flat=True)
    assert list(acts) == []


@pytest.mark.parametrize("name", ["save", *ACTS])
def test_what_the_reporter_wrote_meanwhile_is_read_first(
    desk: Client, alice: User, bob: User, report: Report, name: str
) -> None:
    sent = look(desk, report)
    update_report(report, editor=alice, content="In truth it was only a joke.")
    before = state(report)

    page = press(desk, report, name, sent)

    assert "the reporter changed the text" in page
    assert "In truth it was only a joke." in page
    assert state(report) == before
    bob.refresh_from_db()
    assert bob.is_active

    # The page that answered is up to date.
    again = press(desk, report, name, look(desk, report))
    assert "out of date" not in again


def test_a_claim_by_another_is_told(desk: Client, superuser: User, report: Report) -> None:
    sent = look(desk, report)
    claim_report(report, actor=superuser)

    page = press(desk, report, "resolve", sent)

    assert "root is working on it" in page
    assert "You had typed: “Mine.”" in page
    assert state(report)[0] == "in_progress"


def test_two_comments_at_once(desk: Client, browser_of: Browsers, superuser: User, report: Report) -> None:
    other = browser_of(superuser)
    mine, theirs = look(desk, report), look(other, report)

    other.post(page_of(report), {**theirs, "status": "open", "comment": "Theirs, \r\nin two lines."})
    page = unescape(
        desk.post(
            page_of(report), {**mine, "status": "open", "comment": "Mine."}, follow=True
        ).content.decode()
    )

    assert "with the comment “Theirs," in page
    report.refresh_from_db()
    assert report.comment == "Theirs, \r\nin two lines."
    fresh = {**look(desk, report), "initial-comment": report.comment}
    desk.post(page_of(report), {**fresh, "status": "resolved", "comment": "Both agree."})
    assert state(report)[:2] == ("resolved", "Both agree.")


def test_a_form_that_is_shown_again_is_as_old_as_it_was(
    desk: Client, superuser: User, report: Report
) -> None:
    sent = look(desk, report)
    moderate_report(report, actor=superuser, comment="Theirs.")

    page = desk.post(page_of(report), {**sent, "status": "nonsense", "comment": "Mine."})
    assert page.status_code == 200
    again = form_of(page.content.decode())
    desk.post(page_of(report), {**again, "status": "resolved", "comment": "Mine."})

    assert state(report)[:2] == ("open", "Theirs.")


@pytest.mark.parametrize("version", ["", ".", "x", "x.y", "0" * 16 + ".", "." * 70_000, "\u00e9.\u00e9"])
def test_a_version_that_no_page_has_is_refused(desk: Client, report: Report, version: str) -> None:
    page = act(desk, report, "resolve", seen=version, comment="x")

    assert ("out of date" in page) == bool(version)


def test_in_bulk(desk: Client, as_user: ApiClient, superuser: User, alice: User, report: Report) -> None:
    others = [ReportFactory(reporter=alice, title=f"number {number}") for number in range(3)]
    chosen = {"_selected_action": [one.pk for one in (report, *others)], "action": "resolve"}
    sent = form_of(desk.post(REPORTS, chosen).content.decode())
    moderate_report(others[0], actor=superuser, status="resolved", comment="Theirs.")
    as_user(alice).put(f"/reports/{others[1].pk}", {"title": "another title"})
    moderate_report(others[2], actor=superuser, comment="Wait.")

    answer = desk.post(REPORTS, {**sent, **chosen, "confirmed": "yes", "comment": "All."}, follow=True)

    page = unescape(answer.content.decode())
    assert [state(one)[:2] for one in (report, *others)] == [
        ("resolved", "All."),
        ("resolved", "Theirs."),
        ("open", None),
        ("open", "Wait."),
    ]
    assert "root resolved it, with the comment “Theirs.”" in page
    assert "the reporter changed the text" in page
    assert "with the comment “Wait.”" in page
    assert "1 report resolved." in page


def test_the_message_names_its_report(desk: Client, report: Report) -> None:
    ReportFactory(title="The next")

    page = act(desk, report, "resolve", _next="", comment="Done.")

    assert "The next" in page
    assert f"{report}: Resolved." in page
