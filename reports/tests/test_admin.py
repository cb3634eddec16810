"""Reports in the admin, as moderators and superusers work them."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from messaging.models import Message
from reports.models import Report
from reports.services import file_report
from tests.factories import MessageFactory, ReportFactory, UserFactory

REPORTS = "/admin/reports/report/"


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="accounts.backends.AccountBackend")
    return client


@pytest.fixture
def desk(moderator: User) -> Client:
    return browser_of(moderator)


@pytest.fixture
def insult(alice: User, bob: User) -> Message:
    return MessageFactory(sender=bob, recipient=alice, content="You are a fool.")


@pytest.fixture
def report(alice: User, insult: Message) -> Report:
    return file_report(alice, title="Insults", content="Make him stop.", message_id=insult.pk)[0]


def test_the_queue_shows_the_oldest_open_report_first(desk: Client, alice: User) -> None:
    done, begun, early, late = ReportFactory.create_batch(4, reporter=alice)
    desk.post(f"{REPORTS}{done.pk}/change/", {"status": "resolved", "comment": ""})
    desk.post(f"{REPORTS}{begun.pk}/change/", {"status": "in_progress", "comment": ""})

    queue = desk.get(REPORTS).context["cl"].result_list

    assert list(queue) == [early, late, begun, done]


@pytest.mark.parametrize("query", ["Insults", "Make him", "alice", "bob"])
def test_the_queue_is_searched(desk: Client, report: Report, query: str) -> None:
    other = ReportFactory(title="Another", content="Else")

    page = desk.get(REPORTS, {"q": query}).content.decode()

    assert f"{REPORTS}{report.pk}/change/" in page
    assert f"{REPORTS}{other.pk}/change/" not in page


def test_the_queue_is_filtered_by_status(desk: Client, report: Report) -> None:
    assert f"{REPORTS}{report.pk}/change/" in desk.get(REPORTS, {"status__exact": "open"}).content.decode()
    assert "0 reports" in desk.get(REPORTS, {"status__exact": "resolved"}).content.decode()


def test_the_queue_takes_a_constant_number_of_queries(
    desk: Client, alice: User, django_assert_num_queries: Callable[..., object]
) -> None:
    ReportFactory.create_batch(2)
    # session, user, his permissions by group and his own; first and last date, dates of the hierarchy;
    # count of what matches, of all; the page with its names
    with django_assert_num_queries(9):
        desk.get(REPORTS)
    for _ in range(15):
        message = MessageFactory()
        file_report(message.recipient, title="t", content="c", message_id=message.pk)
    with django_assert_num_queries(9):
        desk.get(REPORTS)


def test_a_moderator_comments_and_resolves(
    desk: Client, moderator: User, alice: User, report: Report, as_user: Callable[[User], APIClient]
) -> None:
    answer = desk.post(f"{REPORTS}{report.pk}/change/", {"status": "resolved", "comment": "Warned him."})

    assert answer.status_code == 302
    seen = as_user(alice).get(f"/reports/{report.pk}").json()
    assert (seen["status"], seen["comment"]) == ("resolved", "Warned him.")
    assert (seen["resolved_by"], seen["resolver_username"]) == (moderator.pk, "moderator")
    assert seen["resolved_at"]
    assert LogEntry.objects.filter(user=moderator, object_id=report.pk).exists()


def test_reopening_clears_who_resolved_it(desk: Client, report: Report) -> None:
    url = f"{REPORTS}{report.pk}/change/"
    desk.post(url, {"status": "resolved", "comment": ""})

    desk.post(url, {"status": "open", "comment": ""})

    report.refresh_from_db()
    assert (report.status, report.resolved_at, report.resolved_by) == ("open", None, None)


def test_resolving_many_at_once_leaves_the_resolved_alone(
    desk: Client, superuser: User, moderator: User, report: Report
) -> None:
    done = ReportFactory(title="done")
    browser_of(superuser).post(f"{REPORTS}{done.pk}/change/", {"status": "resolved", "comment": ""})

    data = {"action": "resolve", "_selected_action": [report.pk, done.pk]}
    page = desk.post(REPORTS, data, follow=True).content.decode()

    assert "1 report resolved." in page
    report.refresh_from_db()
    done.refresh_from_db()
    assert (report.resolved_by, done.resolved_by) == (moderator, superuser)


def test_taking_up_many_at_once(desk: Client, report: Report) -> None:
    other = ReportFactory()

    desk.post(REPORTS, {"action": "start", "_selected_action": [report.pk, other.pk]})

    assert set(Report.objects.values_list("status", flat=True)) == {"in_progress"}


def test_only_status_and_comment_can_be_changed(desk: Client, report: Report) -> None:
    crafted = {"status": "open", "comment": "c", "title": "x", "content": "x", "message_content": "x"}

    desk.post(f"{REPORTS}{report.pk}/change/", crafted)

    report.refresh_from_db()
    assert (report.title, report.content, report.comment) == ("Insults", "Make him stop.", "c")
    assert report.message_content == "You are a fool."


def test_an_unknown_status_is_refused(desk: Client, report: Report) -> None:
    answer = desk.post(f"{REPORTS}{report.pk}/change/", {"status": "lost", "comment": "c"})

    assert "Select a valid choice" in answer.content.decode()
    report.refresh_from_db()
    assert (report.status, report.comment) == ("open", None)


def test_the_page_shows_what_was_said_and_what_became_of_it(
    desk: Client, bob: User, insult: Message, report: Report, as_user: Callable[[User], APIClient]
) -> None:
    bobs, url = as_user(bob), f"{REPORTS}{report.pk}/change/"
    assert "You are a fool." in desk.get(url).content.decode()

    bobs.put(f"/messages/{insult.pk}", {"content": "You are a friend."})
    edited = desk.get(url).content.decode()
    bobs.delete(f"/messages/{insult.pk}")
    deleted = desk.get(url).content.decode()

    for page, since in [(edited, "Edited since"), (deleted, "Deleted since")]:
        assert "You are a fool." in page
        assert since in page


def test_a_moderator_sees_neither_addresses_nor_anything_but_reports(
    desk: Client, alice: User, bob: User, report: Report
) -> None:
    User.objects.filter(pk=bob.pk).update(phone_number="+4930123456")

    pages = [desk.get(url).content.decode() for url in ("/admin/", REPORTS, f"{REPORTS}{report.pk}/change/")]

    for page in pages:
        assert "@example.org" not in page
        assert "+4930123456" not in page
        assert "/admin/accounts/" not in page
    assert desk.get(f"/admin/accounts/user/{bob.pk}/change/").status_code == 403
    assert desk.post(f"{REPORTS}{report.pk}/delete/", {"post": "yes"}).status_code == 403
    assert desk.get(f"{REPORTS}add/").status_code == 403


def test_reports_are_for_those_with_the_role(alice: User, report: Report) -> None:
    staff = UserFactory(username="staff", is_staff=True)

    assert browser_of(staff).get(REPORTS).status_code == 403
    assert browser_of(alice).get(REPORTS).status_code == 302
    assert Client().get(REPORTS).status_code == 302
    crafted = {"status": "resolved", "comment": ""}
    for client in (browser_of(staff), browser_of(alice), Client()):
        client.post(f"{REPORTS}{report.pk}/change/", crafted)
    report.refresh_from_db()
    assert report.status == "open"


def test_a_report_outlives_the_accounts_it_is_about(
    desk: Client, alice: User, bob: User, report: Report
) -> None:
    alice.delete()
    bob.delete()

    page = desk.get(f"{REPORTS}{report.pk}/change/").content.decode()

    assert "Deleted user" in page
    assert "You are a fool." in page
