"""What a report's page shows."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.services.messages import delete_message
from reports.models import ContextMessage, Report
from reports.services import file_report, moderate_report
from reports.tests.desks import ACTS, REPORTS, Browsers, act, history, page_of
from tests.factories import BlockFactory, MessageFactory, ReportFactory, SessionFactory


def test_the_conversation_around_the_message(desk: Client, alice: User, bob: User) -> None:
    said = [
        MessageFactory(sender=(alice, bob)[n % 2], recipient=(bob, alice)[n % 2], content=f"number {n:02}.")
        for n in range(15)
    ]
    MessageFactory(sender=bob, content="to somebody else.")
    report, _ = file_report(alice, title="t", content="c", message_id=said[7].pk)

    page = desk.get(page_of(report)).content.decode()

    talk = page.split('<ol class="talk">')[1].split("</ol>")[0]
    assert re.findall(r"number (\d\d)\.", talk) == [f"{n:02}" for n in range(2, 13)]
    assert talk.count('class="reported"') == 1
    assert "number 07." in talk.split('class="reported"')[1].split("</li>")[0]
    assert "to somebody else." not in page


def talk_of(desk: Client, report: Report) -> list[str]:
    """What the page shows of the conversation, message by message."""
    page = desk.get(page_of(report)).content.decode()
    return page.split('<ol class="talk">')[1].split("</ol>")[0].split("<li")[1:]


def test_the_context_stays_as_it_stood(
    desk: Client, as_user: ApiClient, alice: User, bob: User, insult: Message
) -> None:
    """Whatever the accused, or the reporter, edits or deletes afterwards, and what others say elsewhere."""
    whistle = MessageFactory(sender=bob, recipient=alice, content="Whistle.")
    answer = MessageFactory(sender=alice, recipient=bob, content="Answer.")
    threat = MessageFactory(sender=bob, recipient=alice, content="Threat.")
    MessageFactory(sender=bob, recipient=alice, content="Elsewhere.", conversation_id="another")
    report, _ = file_report(alice, title="t", content="c", message_id=whistle.pk)
    MessageFactory(sender=bob, recipient=alice, content="Later.")

    as_user(bob).put(f"/messages/{insult.pk}", {"content": "You are a friend."})
    delete_message(whistle, actor=bob)
    delete_message(answer, actor=bob)
    delete_message(threat, actor=bob)

    said = talk_of(desk, report)
    assert [re.findall(r'class="said">([^<]*)<', part) for part in said] == [
        ["You are a fool.", "You are a friend."],
        ["Whistle."],
        ["Answer."],
        ["Threat."],
    ]
    assert "Edited since" in said[0]
    assert "The reported message, deleted since" in said[1]
    assert "Deleted by who received it" in said[2]
    assert "Deleted since" not in said[2]
    assert "Deleted since" in said[3]
    assert [part.count("<strong>bob</strong>") for part in said] == [1, 1, 0, 1]


def test_the_context_survives_both_accounts(desk: Client, alice: User, bob: User, report: Report) -> None:
    alice.delete()
    bob.delete()
    Message.objects.all().delete()

    (said,) = talk_of(desk, report)

    assert "You are a fool." in said
    assert "Deleted user" in said


def test_a_replay_keeps_the_context_once(as_user: ApiClient, alice: User, insult: Message) -> None:
    body = {"title": "t", "content": "c", "message_id": insult.pk}
    for _ in range(2):
        as_user(alice).post("/reports", body, headers={"Idempotency-Key": "k"})

    assert ContextMessage.objects.count() == 1


def test_a_report_from_before_shows_what_stands_there_now(
    desk: Client, alice: User, bob: User, report: Report
) -> None:
    ContextMessage.objects.all().delete()
    MessageFactory(sender=bob, recipient=alice, content="Later.")

    assert ["Later." in said for said in talk_of(desk, report)] == [False, True]

    delete_message(report.message, actor=bob)
    page = desk.get(page_of(report)).content.decode()

    assert "Deleted since" in page
    assert "so there is nothing to show" in page
    assert "Later." not in page


def test_a_report_about_nothing(desk: Client) -> None:
    page = desk.get(page_of(ReportFactory())).content.decode()

    assert "This report is about no message." in page
    assert "disable-sender" not in page


def test_the_standing_of_both(
    desk: Client, moderator: User, alice: User, bob: User, carol: User, insult: Message, report: Report
) -> None:
    again, _ = file_report(alice, title="t", content="c", message_id=insult.pk)
    moderate_report(again, actor=moderator, status="resolved")
    ReportFactory(reporter=bob)
    SessionFactory.create_batch(2, user=bob)
    SessionFactory(user=bob, expires_at=timezone.now() - timedelta(days=1))
    SessionFactory(user=bob, is_active=False)
    for blocker in (alice, carol):
        BlockFactory(blocker=blocker, blocked=bob)

    case = desk.get(page_of(report)).context["overview"]

    sender, reporter = case.sender, case.reporter
    # Both by alice, and so they count as one.
    assert (sender.username, sender.filed, sender.received, sender.received_resolved) == ("bob", 1, 1, 1)
    assert (sender.live_sessions, sender.blocks_received) == (2, 2)
    assert (reporter.username, reporter.filed, reporter.received) == ("alice", 2, 0)


def test_a_look_at_a_conversation_is_logged(
    desk: Client, report: Report, insult: Message, moderator: User, caplog: pytest.LogCaptureFixture
) -> None:
    desk.get(page_of(report))
    desk.get(page_of(report))

    looks = [text for text in caplog.messages if text.startswith("conversation read")]
    conversation = f"message={insult.pk} conversation={insult.conversation_id}"
    assert looks == [f"conversation read: report={report.pk} {conversation} by={moderator.pk}"] * 2
    assert history(report) == [("moderator", "Looked at the conversation.")] * 2


def test_the_page_takes_a_constant_number_of_queries(
    desk: Client, alice: User, bob: User, report: Report, django_assert_num_queries: Callable[..., object]
) -> None:
    desk.get(page_of(report))
    # session, user, his permissions by group and his own; the report with its people, its message; the
    # standing of both; what was said around, and what it says now; the head of the audit trail, locked,
    # whether those whom the row names are deleted, its row, the head again, and the savepoint around these;
    # whether somebody waits for a person, and whether the assistant filed it
    with django_assert_num_queries(17):
        desk.get(page_of(report))
    for _ in range(20):
        message = MessageFactory(sender=bob, recipient=alice)
        file_report(alice, title="t", content="c", message_id=message.pk)
    SessionFactory.create_batch(20, user=bob)
    with django_assert_num_queries(17):
        desk.get(page_of(report))


def test_neither_address_nor_number_is_on_any_page(
    desk: Client, moderator: User, alice: User, bob: User, report: Report
) -> None:
    User.objects.filter(pk=alice.pk).update(phone_number="+4930123456")
    User.objects.filter(pk=bob.pk).update(phone_number="+4930123457")
    MessageFactory(sender=alice, recipient=bob)
    other = ReportFactory(reporter=bob)
    chosen = {"action": "resolve", "_selected_action": [report.pk, other.pk]}

    pages = [desk.get(url).content.decode() for url in ("/admin/", REPORTS, page_of(report))]
    pages += [act(desk, report, name) for name in ACTS]
    pages += [desk.get(f"{REPORTS}{report.pk}/history/").content.decode()]
    pages += [desk.post(REPORTS, chosen).content.decode()]

    for page in pages:
        assert "@example.org" not in page
        assert "+493012345" not in page
        assert "/admin/accounts/" not in page


def test_a_superuser_gets_to_the_people_from_there(
    browser_of: Browsers, superuser: User, bob: User, report: Report
) -> None:
    page = browser_of(superuser).get(page_of(report)).content.decode()

    assert f"/admin/accounts/user/{bob.pk}/change/" in page


def test_nothing_that_people_write_becomes_markup(
    desk: Client, alice: User, bob: User, moderator: User
) -> None:
    markup = "<script>alert(1)</script>"
    message = MessageFactory(sender=bob, recipient=alice, content=markup)
    report, _ = file_report(alice, title=markup, content=markup, message_id=message.pk)
    chosen = {"action": "resolve", "_selected_action": [report.pk]}

    pages = [desk.get(url).content.decode() for url in (REPORTS, page_of(report))]
    pages += [desk.post(REPORTS, chosen).content.decode(), act(desk, report, "resolve", comment=markup)]
    pages += [act(desk, report, "claim"), desk.get("/admin/").content.decode()]

    for page in pages:
        assert markup not in page
        assert "&lt;script&gt;alert(1)" in page
