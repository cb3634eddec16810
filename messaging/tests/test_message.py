"""GET, PUT and PATCH /messages/{id}."""

from typing import Any

import pytest
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import NO_IDS, TIME, faults, problem
from tests.factories import MessageFactory


@pytest.fixture
def message(alice: User, bob: User) -> Message:
    return MessageFactory(sender=alice, recipient=bob, content="Shall we meet?")


def test_message_is_shown_to_both(as_user: ApiClient, message: Message, alice: User, bob: User) -> None:
    shown = [as_user(user).get(f"/messages/{message.pk}") for user in (alice, bob)]

    assert [answer.status_code for answer in shown] == [200, 200]
    assert shown[0].json() == shown[1].json()
    body = shown[0].json()
    assert TIME.fullmatch(body.pop("created_at"))
    assert TIME.fullmatch(body.pop("updated_at"))
    assert body == {
        "id": message.pk,
        "sender_id": alice.pk,
        "recipient_id": bob.pk,
        "content": "Shall we meet?",
        "is_read": False,
        "parent_id": None,
        "conversation_id": message.conversation_id,
    }


@pytest.mark.parametrize(
    ("method", "suffix"),
    [("get", ""), ("put", ""), ("patch", ""), ("delete", ""), ("put", "/read")],
)
def test_message_does_not_exist_for_an_outsider(
    as_user: ApiClient, message: Message, carol: User, superuser: User, method: str, suffix: str
) -> None:
    """The answer is the one to a missing id; that holds for superusers, too."""
    for outsider in (carol, superuser):
        call = getattr(as_user(outsider), method)
        strange = call(f"/messages/{message.pk}{suffix}", {"content": "Mine"})
        missing = call(f"/messages/{message.pk + 1}{suffix}", {"content": "Mine"})

        assert problem(strange) == (404, "Message not found")
        assert strange.json() == missing.json()
    kept = Message.objects.get()
    assert (kept.content, kept.is_read) == ("Shall we meet?", False)


@pytest.mark.parametrize("raw", NO_IDS)
def test_message_is_not_found_by_what_is_no_id(
    as_user: ApiClient, message: Message, alice: User, raw: str
) -> None:
    client, path = as_user(alice), f"/messages/{raw}"

    answers = [client.get(path), client.put(path, {}), client.patch(path, {}), client.delete(path)]
    answers.append(client.put(f"{path}/read"))

    assert [problem(answer) for answer in answers] == [(404, "Message not found")] * 5


@pytest.mark.parametrize("method", ["put", "patch"])
def test_message_edit_replaces_content_and_moves_updated_at(
    as_user: ApiClient,
    alice: User,
    bob: User,
    time_machine: TimeMachineFixture,
    method: str,
) -> None:
    time_machine.move_to("2026-01-02T12:00:00Z", tick=False)
    message = MessageFactory(sender=alice, recipient=bob, is_read=True)
    time_machine.move_to("2026-01-02T12:05:00.000001Z", tick=False)

    answer = getattr(as_user(alice), method)(f"/messages/{message.pk}", {"content": " At one, then. "})

    message.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json()["content"] == message.content == " At one, then. "
    assert answer.json()["created_at"] == "2026-01-02T12:00:00.000000Z"
    assert answer.json()["updated_at"] == "2026-01-02T12:05:00.000001Z"
    assert answer.json() == as_user(bob).get(f"/messages/{message.pk}").json()
    assert message.is_read


@pytest.mark.parametrize("method", ["put", "patch"])
def test_message_edit_without_fields_changes_nothing(
    as_user: ApiClient, message: Message, alice: User, method: str
) -> None:
    before = Message.objects.values().get()

    answer = getattr(as_user(alice), method)(f"/messages/{message.pk}", {})

    assert answer.status_code == 200
    assert answer.json() == as_user(alice).get(f"/messages/{message.pk}").json()
    assert Message.objects.values().get() == before


def test_message_edit_changes_content_alone(
    as_user: ApiClient, message: Message, alice: User, carol: User
) -> None:
    others = {"recipient_id": carol.pk, "is_read": True, "conversation_id": "other", "parent_id": message.pk}
    before = Message.objects.values("recipient", "is_read", "conversation", "parent", "sender").get()

    answer = as_user(alice).put(f"/messages/{message.pk}", {"content": "New", "sender_id": 1, **others})

    assert answer.status_code == 200
    assert answer.json()["content"] == "New"
    assert Message.objects.values(*before).get() == before


@pytest.mark.parametrize("content", ["", " \n", "x" * 20_001, None, 5, ["x"]])
def test_message_edit_refuses_content(
    as_user: ApiClient, message: Message, alice: User, content: Any
) -> None:
    answer = as_user(alice).put(f"/messages/{message.pk}", {"content": content})

    assert faults(answer) == {"content"}
    assert Message.objects.get().content == "Shall we meet?"


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("body", [{}, {"content": "Forged"}])
def test_message_edit_is_for_the_sender_alone(
    as_user: ApiClient, message: Message, bob: User, method: str, body: dict[str, str]
) -> None:
    answer = getattr(as_user(bob), method)(f"/messages/{message.pk}", body)

    assert problem(answer) == (403, "Only the sender can update this message")
    assert Message.objects.get().content == "Shall we meet?"
