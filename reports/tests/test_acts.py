"""What the buttons on a report's page do, and for whom."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import MODERATOR, Session, User
from accounts.services.roles import assign_roles
from accounts.services.users import disable_user
from conftest import ApiClient
from reports.models import Report
from reports.services import claim_report, file_report, moderate_report
from reports.tests.desks import ACTS, REPORTS, Browsers, act, history, page_of
from tests.factories import MessageFactory, ReportFactory, SessionFactory, UserFactory


def test_claim(desk: Client, moderator: User, report: Report) -> None:
    assert "Claimed." in act(desk, report, "claim")

    report.refresh_from_db()
    assert (report.status, report.assigned_to) == ("in_progress", moderator)
    assert ("moderator", "Claimed.") in history(report)


def test_claiming_what_somebody_has(desk: Client, superuser: User, report: Report) -> None:
    claim_report(report, actor=superuser)

    page = act(desk, report, "claim")

    assert "root is working on this report." in page
    assert f"{REPORTS}{report.pk}/claim/" not in page
    assert ("moderator", "Claimed.") not in history(report)


def test_resolve_with_the_comment_typed(desk: Client, moderator: User, report: Report) -> None:
    page = act(desk, report, "resolve", comment="Warned him.", status="open")

    assert "Resolved." in page
    report.refresh_from_db()
    assert (report.status, report.comment, report.resolved_by) == ("resolved", "Warned him.", moderator)
    assert ("moderator", "Resolved.") in history(report)


def test_a_comment_that_is_too_long_resolves_nothing(desk: Client, report: Report) -> None:
    assert "at most 20000 characters" in act(desk, report, "resolve", comment="x" * 20_001)

    report.refresh_from_db()
    assert (report.status, report.comment) == ("open", None)


def test_a_page_that_is_out_of_date_undoes_nothing(
    desk: Client, moderator: User, superuser: User, report: Report
) -> None:
    seen = {"initial-status": "open", "initial-comment": "Looking."}
    moderate_report(report, actor=superuser, status="resolved", comment="Done.")

    desk.post(page_of(report), {**seen, "status": "open", "comment": "Looking."})
    act(desk, report, "claim", **seen, comment="Looking.")
    act(desk, report, "resolve", **seen, comment="Looking.")

    report.refresh_from_db()
    assert (report.status, report.comment, report.resolved_by) == ("resolved", "Done.", superuser)

    desk.post(page_of(report), {**seen, "status": "open", "comment": ""})

    report.refresh_from_db()
    assert (report.status, report.comment) == ("resolved", "Done.")


def test_reopen_keeps_the_comment_where_none_is_sent(desk: Client, moderator: User, report: Report) -> None:
    claim_report(report, actor=moderator)
    moderate_report(report, actor=moderator, status="resolved", comment="Warned him.")

    act(desk, report, "reopen")

    report.refresh_from_db()
    assert (report.status, report.comment, report.assigned_to) == ("open", "Warned him.", None)
    assert ("moderator", "Reopened.") in history(report)


def test_end_the_senders_sessions(
    desk: Client,
    as_user: ApiClient,
    moderator: User,
    bob: User,
    report: Report,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bobs = as_user(bob)

    assert "Ended the sender&#x27;s sessions." in act(desk, report, "end-sessions")

    assert bobs.get("/auth/me").status_code == 401
    bob.refresh_from_db()
    assert bob.is_active
    assert ("moderator", "Ended the sender's sessions.") in history(report)
    assert f"sender logged out: report={report.pk} user={bob.pk} by={moderator.pk}" in caplog.messages


def test_disable_the_sender(
    desk: Client,
    as_user: ApiClient,
    moderator: User,
    bob: User,
    report: Report,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bobs = as_user(bob)

    page = act(desk, report, "disable-sender")

    assert "Disabled the sender&#x27;s account." in page
    assert "disable-sender" not in page
    assert bobs.get("/auth/me").status_code == 401
    bob.refresh_from_db()
    assert not bob.is_active
    assert not Session.objects.live().filter(user=bob).exists()
    assert ("moderator", "Disabled the sender's account.") in history(report)
    assert f"sender disabled: report={report.pk} user={bob.pk} by={moderator.pk}" in caplog.messages


def about(sender: User, reporter: User) -> Report:
    message = MessageFactory(sender=sender, recipient=reporter)
    return file_report(reporter, title="t", content="c", message_id=message.pk)[0]


@pytest.mark.parametrize("name", ["disable-sender", "end-sessions"])
def test_a_moderator_cannot_shut_a_superuser_out(
    desk: Client, superuser: User, alice: User, name: str
) -> None:
    UserFactory(is_superuser=True)
    report = about(superuser, alice)
    SessionFactory(user=superuser)
    assert f"/{name}/" not in desk.get(page_of(report)).content.decode()

    page = act(desk, report, name)

    assert "Only a superuser may do this to somebody who works in the admin." in page
    superuser.refresh_from_db()
    assert superuser.is_active
    assert Session.objects.live().filter(user=superuser).exists()
    assert {message for _, message in history(report)} == {"Looked at the conversation."}


@pytest.mark.parametrize("name", ["disable-sender", "end-sessions"])
def test_a_moderator_cannot_shut_another_out(
    desk: Client, browser_of: Browsers, superuser: User, alice: User, name: str
) -> None:
    other = UserFactory(username="other")
    assign_roles(other, Group.objects.filter(name=MODERATOR), actor=superuser)
    report = about(other, alice)
    SessionFactory(user=other)
    assert f"/{name}/" not in desk.get(page_of(report)).content.decode()

    page = act(desk, report, name)

    assert "Only a superuser may do this to somebody who works in the admin." in page
    other.refresh_from_db()
    assert other.is_active
    assert Session.objects.live().filter(user=other).exists()

    act(browser_of(superuser), report, name)

    assert not Session.objects.live().filter(user=other).exists()


def test_a_superuser_disables_another(browser_of: Browsers, superuser: User, alice: User) -> None:
    ruler = UserFactory(username="ruler", is_superuser=True)

    act(browser_of(superuser), about(ruler, alice), "disable-sender")

    ruler.refresh_from_db()
    assert not ruler.is_active


def test_nobody_disables_himself(
    browser_of: Browsers, desk: Client, superuser: User, moderator: User, alice: User
) -> None:
    UserFactory(is_superuser=True)
    for user in (superuser, moderator):
        report = about(user, alice)

        assert "This report is about you" in act(browser_of(user), report, "disable-sender")

        user.refresh_from_db()
        assert user.is_active


def test_a_sender_who_is_made_a_superuser_meanwhile_stays(
    desk: Client, bob: User, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disable_too_late(user: User, *, actor: User) -> None:
        User.objects.filter(pk=user.pk).update(is_superuser=True, is_staff=True)
        disable_user(user, actor=actor)

    monkeypatch.setattr("reports.services.disable_user", disable_too_late)

    assert "Only a superuser may do this" in act(desk, report, "disable-sender")

    bob.refresh_from_db()
    assert bob.is_active


@pytest.mark.parametrize("name", ["disable-sender", "end-sessions"])
def test_where_there_is_no_sender(desk: Client, bob: User, report: Report, name: str) -> None:
    bob.delete()

    for subject in (report, ReportFactory()):
        assert "There is no sender any more." in act(desk, subject, name)


@pytest.mark.parametrize("name", ACTS)
def test_who_may_press_a_button(
    browser_of: Browsers, alice: User, bob: User, clerk: User, superuser: User, report: Report, name: str
) -> None:
    url = f"{REPORTS}{report.pk}/{name}/"
    looker = UserFactory(username="looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_report"))

    for user in (clerk, looker):
        assert browser_of(user).post(url).status_code == 403
    for browser in (browser_of(alice), Client()):
        answer = browser.post(url)
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={url}")
    bob.refresh_from_db()
    report.refresh_from_db()
    assert (report.status, report.assigned_to, bob.is_active) == ("open", None, True)
    assert history(report) == []
    assert f"/{name}/" not in browser_of(looker).get(page_of(report)).content.decode()
    assert browser_of(superuser).post(url).status_code == 302
    assert len(history(report)) == 2  # the looker's look, and this


@pytest.mark.parametrize("name", ACTS)
def test_a_button_wants_a_post_with_a_token(moderator: User, desk: Client, report: Report, name: str) -> None:
    url = f"{REPORTS}{report.pk}/{name}/"
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(moderator, backend="accounts.backends.AccountBackend")

    assert desk.get(url).status_code == 405
    assert forged.post(url).status_code == 403
    assert history(report) == []


@pytest.mark.parametrize("pk", [0, 999_999, 10**30])
def test_a_report_that_is_not_there(desk: Client, pk: int) -> None:
    assert desk.post(f"{REPORTS}{pk}/claim/").status_code == 404


def test_the_queues_filters_are_kept(desk: Client, report: Report) -> None:
    kept = "?_changelist_filters=status__exact%3Dopen"

    page = desk.get(page_of(report) + kept).content.decode()
    answer = desk.post(f"{REPORTS}{report.pk}/claim/{kept}")

    assert f"/claim/{kept}" in page
    assert answer["Location"] == page_of(report) + kept
