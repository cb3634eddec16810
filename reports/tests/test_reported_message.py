"""What moderators keep of a reported message, whatever becomes of it."""

import pytest

from accounts.models import User
from accounts.services.users import delete_user
from conftest import ApiClient
from messaging.models import Message
from reports.models import Report
from tests.factories import MessageFactory


@pytest.fixture
def message(alice: User, mallory: User) -> Message:
    return MessageFactory(sender=mallory, recipient=alice, content="You fool!")


@pytest.fixture
def message_report(as_user: ApiClient, alice: User, message: Message) -> Report:
    body = {"title": "Insults", "content": "See for yourself.", "message_id": message.pk}
    return Report.objects.get(pk=as_user(alice).post("/reports", body).json()["id"])


def kept(report: Report) -> tuple[str | None, User | None]:
    report.refresh_from_db()
    return report.message_content, report.message_sender


def test_reported_message_is_kept_as_it_was_after_an_edit(
    as_user: ApiClient, alice: User, mallory: User, message: Message, message_report: Report
) -> None:
    as_user(mallory).put(f"/messages/{message.pk}", {"content": "You are so kind!"})

    assert kept(message_report) == ("You fool!", mallory)
    assert as_user(alice).get(f"/reports/{message_report.pk}").json()["message_id"] == message.pk


def test_reported_message_is_kept_after_its_sender_deleted_it(
    as_user: ApiClient, alice: User, mallory: User, message: Message, message_report: Report
) -> None:
    as_user(mallory).delete(f"/messages/{message.pk}")

    assert not Message.objects.exists()
    assert kept(message_report) == ("You fool!", mallory)
    client = as_user(alice)
    shown = [client.get(f"/reports/{message_report.pk}").json(), client.get("/reports").json()[0]]
    assert [each["message_id"] for each in shown] == [None, None]


def test_reported_message_is_kept_after_the_reporter_deleted_it(
    as_user: ApiClient, alice: User, mallory: User, message: Message, message_report: Report
) -> None:
    as_user(alice).delete(f"/messages/{message.pk}")

    assert kept(message_report) == ("You fool!", mallory)


def test_reported_message_is_kept_after_its_senders_account_is_deleted(
    as_user: ApiClient, alice: User, mallory: User, superuser: User, message: Message, message_report: Report
) -> None:
    delete_user(User.objects.get(pk=mallory.pk), actor=superuser)

    assert kept(message_report) == ("You fool!", None)
    assert as_user(alice).get(f"/reports/{message_report.pk}").json()["message_id"] == message.pk


def test_reported_message_is_in_no_answer_of_the_api(
    as_user: ApiClient, alice: User, superuser: User, message_report: Report
) -> None:
    for user in (alice, superuser):
        assert "You fool!" not in as_user(user).get(f"/reports/{message_report.pk}").content.decode()


def test_reported_message_of_a_second_report_is_what_it_says_then(
    as_user: ApiClient, alice: User, mallory: User, message: Message, message_report: Report
) -> None:
    as_user(mallory).put(f"/messages/{message.pk}", {"content": "Worse!"})
    body = {"title": "Again", "content": "And now this.", "message_id": message.pk}

    again = Report.objects.get(pk=as_user(alice).post("/reports", body).json()["id"])

    assert (kept(message_report)[0], kept(again)[0]) == ("You fool!", "Worse!")
