"""The admin's home page, and the way from there to the next report."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from messaging.models import Message
from reports.dashboard import DAYS, count_traffic, count_work
from reports.models import Report
from reports.services import claim_report, moderate_report
from reports.tests.desks import REPORTS, Browsers, page_of
from tests.factories import FailedLoginFactory, MessageFactory, ReportFactory, SessionFactory, UserFactory

HOME = "/admin/"


def links(page: str) -> list[str]:
    return [unescape(url) for url in re.findall(r'<a class="card[^"]*" href="([^"]*)"', page)]


def fail_login(hours_ago: int, *, locks: bool = False) -> None:
    FailedLoginFactory(locked_out=locks, attempt_time=timezone.now() - timedelta(hours=hours_ago))


def test_what_there_is_to_do(moderator: User, superuser: User) -> None:
    now = timezone.now()
    reports = ReportFactory.create_batch(8)
    for number, report in enumerate(reports):
        Report.objects.filter(pk=report.pk).update(created_at=now - timedelta(hours=10 * (8 - number)))
    claim_report(reports[2], actor=moderator)
    claim_report(reports[3], actor=superuser)
    for number, days in [(4, 1), (5, 2), (6, 3), (0, 8)]:
        moderate_report(reports[number], actor=moderator, status="resolved")
        filed, done = now - timedelta(days=days, hours=number), now - timedelta(days=days)
        Report.objects.filter(pk=reports[number].pk).update(created_at=filed, resolved_at=done)

    work = count_work(moderator)

    assert (work.open, work.in_progress, work.mine, work.resolved) == (2, 2, 1, 3)
    assert work.oldest is not None
    assert work.oldest // timedelta(hours=1) == 70
    assert work.median == timedelta(hours=5)


def test_nothing_to_do(moderator: User) -> None:
    work = count_work(moderator)

    assert (work.open, work.oldest, work.resolved, work.median) == (0, None, 0, None)


def test_what_goes_on(bob: User) -> None:
    today = timezone.now()
    gone = MessageFactory.create_batch(3, sender=bob, recipient=UserFactory())
    for message, days in zip(gone, [400, 29, 1], strict=True):
        Message.objects.filter(pk=message.pk).update(created_at=today - timedelta(days=days))
    MessageFactory(sender=bob, recipient=gone[0].recipient)
    User.objects.filter(pk=bob.pk).update(created_at=today - timedelta(days=31))
    SessionFactory(user=bob)
    SessionFactory(user=bob, is_active=False)
    for days in (31, 29, 1, 0):
        fail_login(24 * days)
    fail_login(24, locks=True)

    traffic = count_traffic()

    messages = [count for _, count in traffic.messages.days]
    assert messages == [1, *[0] * (DAYS - 3), 1, 1]
    assert [day for day, _ in traffic.messages.days][-1] == today.date()
    assert (traffic.messages.total, traffic.messages.most) == (3, 1)
    assert traffic.people.total == 1
    assert [count for _, count in traffic.failed_logins.days] == [1, *[0] * (DAYS - 3), 2, 1]
    assert [count for _, count in traffic.lockouts.days] == [*[0] * (DAYS - 2), 1, 0]
    assert traffic.live_sessions == 1


def test_an_empty_house(db: None) -> None:
    traffic = count_traffic()

    assert (traffic.people.total, traffic.messages.total, traffic.messages.most) == (0, 0, 0)


def test_a_moderator_sees_the_reports_alone(desk: Client, report: Report) -> None:
    page = desk.get(HOME).content.decode()

    assert len(links(page)) == 5
    assert "New messages" not in page
    assert "<svg viewBox" not in page


def test_a_superuser_sees_the_traffic_too(browser_of: Browsers, superuser: User, report: Report) -> None:
    page = browser_of(superuser).get(HOME).content.decode()

    assert len(links(page)) == 8
    assert page.count("<time>") == 2 * 4
    assert f"<time>{timezone.now():%b} {timezone.now().day}</time>" in page
    assert page.count("none in 30 days") == 2
    assert page.count("<svg viewBox") == 4
    assert page.count("<rect") == 8 * DAYS
    for caption, today in [("New messages", 1), ("New people", 3), ("Failed logins", 0), ("Lockouts", 0)]:
        hidden = page.split(f"<caption>{caption} a day</caption>")[1].split("</table>")[0]
        assert hidden.count('<th scope="row">') == DAYS
        assert f'<th scope="row">{timezone.now():%Y-%m-%d}</th><td>{today}</td>' in hidden


def test_the_fifth_wrong_password_is_a_lockout(client: APIClient, bob: User) -> None:
    for _ in range(7):
        client.post("/auth/login", {"username": "bob", "password": "wrong"})

    traffic = count_traffic()

    assert (traffic.failed_logins.total, traffic.lockouts.total) == (5, 1)


def test_staff_without_a_role_sees_neither(browser_of: Browsers, clerk: User, alice: User) -> None:
    page = browser_of(clerk).get(HOME).content.decode()

    assert links(page) == []
    assert 'class="desk"' not in page
    for browser in (browser_of(alice), Client()):
        assert browser.get(HOME)["Location"].startswith("/admin/login/")


def test_every_card_leads_to_what_it_counts(
    browser_of: Browsers, superuser: User, moderator: User, report: Report
) -> None:
    claim_report(ReportFactory(), actor=superuser)
    claim_report(ReportFactory(), actor=moderator)
    moderate_report(ReportFactory(), actor=superuser, status="resolved")
    old = ReportFactory()
    moderate_report(old, actor=superuser, status="resolved")
    Report.objects.filter(pk=old.pk).update(resolved_at=timezone.now() - timedelta(days=8))
    SessionFactory()
    User.objects.filter(pk=superuser.pk).update(created_at=timezone.now() - timedelta(days=31))
    for days in (31, 3, 2):
        fail_login(24 * days, locks=days > 2)
    browser = browser_of(superuser)

    page = browser.get(HOME).content.decode()

    counted = [browser.get(url).context["cl"].result_count for url in links(page)]
    people = User.objects.count() - 1
    assert counted == [1, 2, 1, 1, 1, people, 2, 1]
    shown = re.findall(r'<span class="number">(\d+)</span>', page)
    assert [int(number) for number in shown] == [1, 2, 1, 1, people, 1, 2, 1]
    assert "Live sessions: 1</a>" in page
    assert browser.get("/admin/accounts/session/?state=live").context["cl"].result_count == 1


def test_the_home_page_takes_a_constant_number_of_queries(
    browser_of: Browsers,
    superuser: User,
    moderator: User,
    report: Report,
    django_assert_num_queries: Callable[..., object],
) -> None:
    mods, roots = browser_of(moderator), browser_of(superuser)
    for _ in range(2):
        # session, user, his permissions by group and his own; the reports that are not resolved, those
        # that were this week; what he did last
        with django_assert_num_queries(7):
            mods.get(HOME)
        # session, user; the same of the reports; where the window begins and its days, of people, of messages
        # and of failed logins; live sessions; his last acts; webhooks that were disabled
        with django_assert_num_queries(13):
            roots.get(HOME)
        for _ in range(10):
            MessageFactory()
            fail_login(2)
            moderate_report(ReportFactory(), actor=moderator, status="resolved")
        claim_report(ReportFactory(), actor=moderator)


def test_next_is_the_oldest_open(desk: Client, moderator: User, report: Report) -> None:
    later = ReportFactory()
    last = ReportFactory()

    assert desk.get(f"{REPORTS}next/")["Location"] == page_of(report)
    assert desk.get(f"{REPORTS}next/?not={report.pk}")["Location"] == page_of(later)
    assert desk.get(f"{REPORTS}next/?not={10**30}")["Location"] == page_of(report)
    assert desk.get(f"{REPORTS}next/?not=-1")["Location"] == page_of(report)
    assert desk.get(f"{REPORTS}next/?not={'1' * 5000}")["Location"] == page_of(report)
    claim_report(report, actor=moderator)
    answer = desk.post(f"{REPORTS}{later.pk}/resolve/", {"comment": "", "_next": ""}, follow=True)
    assert answer.redirect_chain[-1][0] == page_of(last)


def test_next_when_there_is_none(desk: Client) -> None:
    answer = desk.get(f"{REPORTS}next/", follow=True)

    assert answer.redirect_chain[-1][0] == REPORTS
    assert "No report is open." in answer.content.decode()


def test_next_is_for_those_with_the_role(browser_of: Browsers, alice: User, clerk: User) -> None:
    assert browser_of(clerk).get(f"{REPORTS}next/").status_code == 403
    assert browser_of(alice).get(f"{REPORTS}next/").status_code == 302
    assert Client().get(f"{REPORTS}next/")["Location"].startswith("/admin/login/")
