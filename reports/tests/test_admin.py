"""Reports in the admin, as moderators and superusers work them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from messaging.models import Message
from reports.models import Report
from reports.services import claim_report, file_report, moderate_report
from reports.tests.desks import history
from tests.factories import MessageFactory, ReportFactory

REPORTS = "/admin/reports/report/"


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


def test_a_search_that_finds_too_much_leaves_out_what_is_done(
    desk: Client, superuser: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.admin.report.FOUND_LIMIT", 2)
    old, *done = ReportFactory.create_batch(5, title="Spam")
    for report in done:
        moderate_report(report, actor=superuser, status="resolved")

    found = desk.get(REPORTS, {"q": "spam"}).context["cl"].result_list

    assert list(found) == [old, done[2], done[3]]


def queries_at(desk: Client, assert_num_queries: Callable[..., object]) -> None:
    # session, user, his permissions by group and his own; the counts of all filters; first and last date,
    # dates of the hierarchy; count of what matches; the page with its names
    with assert_num_queries(9):
        desk.get(REPORTS)
    # the same, with counts of the filter in which something is chosen; the reports with such a text, the
    # people with such a name, and their reports
    with assert_num_queries(13):
        desk.get(REPORTS, {"q": "ali", "status__exact": "open"})


def test_the_queue_takes_a_constant_number_of_queries(
    desk: Client, alice: User, bob: User, django_assert_num_queries: Callable[..., object]
) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    for count in (10, 9990):
        rows = [
            Report(reporter=alice, title=f"ali {number}", content="c", message=message, message_content="m")
            for number in range(count)
        ]
        Report.objects.bulk_create(rows)
        queries_at(desk, django_assert_num_queries)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"older": "day"},
        {"about": "nothing"},
        {"assigned": "others"},
        {"status__exact": "open"},
        {"status__exact": "in_progress", "assigned": "others"},
        {"older": "day", "about": "nothing", "assigned": "nobody", "status__exact": "open"},
    ],
)
def test_every_filter_counts_what_it_would_leave(
    desk: Client, moderator: User, superuser: User, report: Report, chosen: dict[str, str]
) -> None:
    old = ReportFactory()
    Report.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    claim_report(ReportFactory(), actor=moderator)
    claim_report(ReportFactory(), actor=superuser)

    filters = desk.get(REPORTS, chosen).context["cl"]

    told = {}
    for spec in filters.filter_specs:
        for choice in list(spec.choices(filters))[1:]:
            label, count = re.fullmatch(r"(.*) \((\d+)\)", str(choice["display"])).groups()
            found = desk.get(REPORTS + choice["query_string"]).context["cl"].result_count
            told[label] = (int(count), found)
    assert len(told) == 11
    assert all(count == found for count, found in told.values()), told


def test_the_queue_tells_who_works_on_what(desk: Client, moderator: User, report: Report) -> None:
    claim_report(report, actor=moderator)
    Report.objects.filter(pk=report.pk).update(created_at=timezone.now() - timedelta(hours=3, minutes=5))

    row = desk.get(REPORTS).content.decode().split("<tbody>")[1]

    for cell in ["In progress", ">3 h<", "Insults", "alice", "bob", "moderator"]:
        assert cell in row


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"older": "hour"}, ["aged", "old"]),
        ({"older": "day"}, ["aged"]),
        ({"older": "week"}, []),
        ({"older": "tomorrow"}, ["aged", "old", "mine", "new"]),
        ({"about": "message"}, ["mine"]),
        ({"about": "nothing"}, ["aged", "old", "new"]),
        ({"assigned": "me"}, ["mine"]),
        ({"assigned": "others"}, ["old"]),
        ({"assigned": "nobody"}, ["aged", "new"]),
        ({"status__exact": "in_progress"}, ["old", "mine"]),
        ({"status__exact": "in_progress", "assigned": "me", "_facets": "True"}, ["mine"]),
    ],
)
def test_the_queue_is_filtered(
    desk: Client,
    moderator: User,
    superuser: User,
    insult: Message,
    alice: User,
    chosen: dict[str, str],
    found: list[str],
) -> None:
    aged, old = ReportFactory(title="aged"), ReportFactory(title="old")
    mine, _ = file_report(alice, title="mine", content="c", message_id=insult.pk)
    ReportFactory(title="new")
    for report, age in [(aged, timedelta(days=2)), (old, timedelta(hours=2))]:
        Report.objects.filter(pk=report.pk).update(created_at=timezone.now() - age)
    claim_report(old, actor=superuser)
    claim_report(mine, actor=moderator)

    results = desk.get(REPORTS, chosen).context["cl"].result_list

    assert sorted(report.title for report in results) == sorted(found)


def test_every_filter_counts(desk: Client, moderator: User, report: Report) -> None:
    moderate_report(ReportFactory(), actor=moderator, status="resolved")
    claim_report(ReportFactory(), actor=moderator)

    page = desk.get(REPORTS).content.decode()

    for counted in ["Open (1)", "In progress (1)", "Resolved (1)", "Over an hour (0)"]:
        assert counted in page
    for counted in ["About a message (1)", "About none (2)", "I do (1)", "Others (0)", "Nobody (2)"]:
        assert counted in page


def test_several_are_claimed_after_a_page_that_lists_them(
    desk: Client, moderator: User, superuser: User, report: Report
) -> None:
    other, taken = ReportFactory(title="another"), ReportFactory(title="taken")
    claim_report(taken, actor=superuser)
    data = {"action": "claim", "_selected_action": [report.pk, other.pk, taken.pk]}

    asked = desk.post(REPORTS, data).content.decode()

    assert "Claim 2 reports?" in asked
    assert "Insults" in asked
    assert "another" in asked
    assert f'value="{taken.pk}"' not in asked
    assert "1 of the selected is left as it is" in asked
    assert set(Report.objects.filter(assigned_to=moderator)) == set()

    told = desk.post(REPORTS, {**data, "confirmed": "yes"}, follow=True).content.decode()

    assert "2 reports claimed." in told
    assert "root is working on this report" in told
    assert set(Report.objects.filter(assigned_to=moderator)) == {report, other}
    assert ("moderator", "Claimed.") in history(report)


def test_several_are_resolved_with_one_comment(desk: Client, moderator: User, report: Report) -> None:
    other = ReportFactory(title="another")
    data = {"action": "resolve", "_selected_action": [report.pk, other.pk]}

    asked = desk.post(REPORTS, data).content.decode()

    assert "Resolve 2 reports?" in asked
    assert set(Report.objects.values_list("status", flat=True)) == {"open"}

    desk.post(REPORTS, {**data, "confirmed": "yes", "comment": "It was a bot."})

    assert set(Report.objects.values_list("status", "comment", "resolved_by__username")) == {
        ("resolved", "It was a bot.", "moderator")
    }


def test_resolving_several_without_a_comment_keeps_theirs(
    desk: Client, moderator: User, report: Report
) -> None:
    moderate_report(report, actor=moderator, comment="We look into it.")

    data = {"action": "resolve", "_selected_action": [report.pk], "confirmed": "yes", "comment": " "}
    desk.post(REPORTS, data)

    report.refresh_from_db()
    assert (report.status, report.comment) == ("resolved", "We look into it.")


def test_a_comment_that_is_too_long_is_asked_for_again(desk: Client, report: Report) -> None:
    data = {"action": "resolve", "_selected_action": [report.pk], "confirmed": "yes", "comment": "x" * 20_001}

    page = desk.post(REPORTS, data).content.decode()

    assert "at most 20000 characters" in page
    report.refresh_from_db()
    assert report.status == "open"


def test_an_action_with_nothing_to_do_says_so(desk: Client, moderator: User, report: Report) -> None:
    moderate_report(report, actor=moderator, status="resolved")

    for action in ["claim", "resolve"]:
        data = {"action": action, "_selected_action": [report.pk]}
        assert (
            "Nothing to do: the selected reports are resolved"
            in desk.post(REPORTS, data, follow=True).content.decode()
        )


def test_an_action_touches_no_more_than_can_be_read(
    desk: Client, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimessage.backoffice.lists.BULK_LIMIT", 1)
    data = {"action": "claim", "_selected_action": [report.pk, ReportFactory().pk]}

    assert "at most 1 report" in desk.post(REPORTS, data, follow=True).content.decode()


def test_whoever_may_only_look_has_no_actions(
    browser_of: Callable[[User], Client], clerk: User, report: Report
) -> None:
    clerk.user_permissions.add(Permission.objects.get(codename="view_report"))
    data = {"action": "resolve", "_selected_action": [report.pk], "confirmed": "yes", "comment": ""}

    browser_of(clerk).post(REPORTS, data)

    report.refresh_from_db()
    assert report.status == "open"


def test_a_moderator_comments_and_resolves(
    desk: Client, moderator: User, alice: User, report: Report, as_user: Callable[[User], APIClient]
) -> None:
    answer = desk.post(f"{REPORTS}{report.pk}/change/", {"status": "resolved", "comment": "Warned him."})

    assert answer.status_code == 302
    seen = as_user(alice).get(f"/reports/{report.pk}").json()
    assert (seen["status"], seen["comment"]) == ("resolved", "Warned him.")
    assert (seen["resolved_by"], seen["resolver_username"]) == (moderator.pk, "moderator")
    assert seen["resolved_at"]
    assert ("moderator", "Changed Status and Comment.") in history(report)


def test_reopening_clears_who_resolved_it(desk: Client, report: Report) -> None:
    url = f"{REPORTS}{report.pk}/change/"
    desk.post(url, {"status": "resolved", "comment": ""})

    desk.post(url, {"status": "open", "comment": ""})

    report.refresh_from_db()
    assert (report.status, report.resolved_at, report.resolved_by) == ("open", None, None)


def test_resolving_many_at_once_leaves_the_resolved_alone(
    browser_of: Callable[[User], Client], desk: Client, superuser: User, moderator: User, report: Report
) -> None:
    done = ReportFactory(title="done")
    browser_of(superuser).post(f"{REPORTS}{done.pk}/change/", {"status": "resolved", "comment": ""})

    data = {"action": "resolve", "_selected_action": [report.pk, done.pk], "confirmed": "yes", "comment": ""}
    page = desk.post(REPORTS, data, follow=True).content.decode()

    assert "1 report resolved." in page
    report.refresh_from_db()
    done.refresh_from_db()
    assert (report.resolved_by, done.resolved_by) == (moderator, superuser)


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


def test_reports_are_for_those_with_the_role(
    browser_of: Callable[[User], Client], alice: User, clerk: User, report: Report
) -> None:
    assert browser_of(clerk).get(REPORTS).status_code == 403
    assert browser_of(alice).get(REPORTS).status_code == 302
    assert Client().get(REPORTS).status_code == 302
    crafted = {"status": "resolved", "comment": ""}
    for client in (browser_of(clerk), browser_of(alice), Client()):
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
