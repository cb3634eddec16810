"""POST /messages."""

from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from messaging.models import Conversation, Message, Participant
from messaging.tests.answers import NO_INTEGERS, UNKNOWN_IDS, faults, problem
from tests.factories import BlockFactory, MessageFactory

NOON = "2026-01-02T12:00:00.678901Z"


@time_machine.travel(NOON, tick=False)
def test_send_answers_with_the_message(as_user: ApiClient, alice: User, bob: User) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"})

    message = Message.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": message.pk,
        "sender_id": alice.pk,
        "recipient_id": bob.pk,
        "content": "Hello",
        "is_read": False,
        "parent_id": None,
        "conversation_id": f"conv_{alice.pk}_{bob.pk}",
        "created_at": NOON,
        "updated_at": NOON,
    }
    assert (message.sender, message.recipient, message.content) == (alice, bob, "Hello")
    assert set(Participant.objects.values_list("conversation", "user", "last_message")) == {
        (message.conversation_id, alice.pk, message.pk),
        (message.conversation_id, bob.pk, message.pk),
    }


def test_send_puts_both_directions_into_one_conversation(as_user: ApiClient, alice: User, bob: User) -> None:
    there = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"})
    back = as_user(bob).post("/messages", {"recipient_id": alice.pk, "content": "Hello yourself"})

    assert there.json()["conversation_id"] == back.json()["conversation_id"] == f"conv_{alice.pk}_{bob.pk}"
    assert Conversation.objects.count() == 1
    assert Participant.objects.count() == 2


@pytest.mark.parametrize(
    "content",
    ["x", "  two \r\n\t spaces  ", "e\u0301 \u200b\u202e 😀", "😀" * 20_000, "<b>&amp;</b>", "\ufeffx"],
    ids=["one", "blanks", "unicode", "longest", "markup", "bom"],
)
def test_send_keeps_content_to_the_character(
    as_user: ApiClient, alice: User, bob: User, content: str
) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": content})

    assert answer.status_code == 201
    assert answer.json()["content"] == Message.objects.get().content == content


@pytest.mark.parametrize(
    "content",
    ["", " \n\t\u2003", "x" * 20_001, None, 5, True, ["x"], {"text": "x"}],
    ids=["empty", "blank", "too long", "null", "number", "flag", "array", "object"],
)
def test_send_refuses_content(as_user: ApiClient, alice: User, bob: User, content: Any) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": content})

    assert faults(answer) == {"content"}
    assert not Message.objects.exists()
    assert not Conversation.objects.exists()


def test_send_requires_recipient_and_content(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).post("/messages", {})

    assert faults(answer) == {"recipient_id", "content"}


@pytest.mark.parametrize("value", [*NO_INTEGERS, "null"])
def test_send_refuses_a_recipient_that_is_no_integer(
    as_user: ApiClient, alice: User, bob: User, value: str
) -> None:
    body = f'{{"recipient_id": {value}, "content": "Hello"}}'
    answer = as_user(alice).post("/messages", body, content_type="application/json")

    assert faults(answer) == {"recipient_id"}
    assert not Message.objects.exists()


@pytest.mark.parametrize("value", UNKNOWN_IDS)
def test_send_does_not_find_an_unknown_recipient(as_user: ApiClient, alice: User, value: int) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": value, "content": "Hello"})

    assert problem(answer) == (404, "Recipient not found")
    assert not Conversation.objects.exists()


def test_send_does_not_find_a_disabled_recipient(as_user: ApiClient, alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)

    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"})

    assert problem(answer) == (404, "Recipient not found")
    assert not Message.objects.exists()


def test_send_to_oneself_is_refused(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": alice.pk, "content": "Note"})

    assert problem(answer) == (400, "Cannot send message to yourself")
    assert not Message.objects.exists()


@pytest.mark.parametrize("blocks", ["sender", "recipient"])
def test_send_is_refused_where_either_blocks_the_other(
    as_user: ApiClient, alice: User, bob: User, blocks: str
) -> None:
    MessageFactory(sender=bob, recipient=alice)
    blocker, blocked = (alice, bob) if blocks == "sender" else (bob, alice)
    BlockFactory(blocker=blocker, blocked=blocked)
    client = as_user(alice)

    plain = client.post("/messages", {"recipient_id": bob.pk, "content": "Hello"})
    path = f"/auth/conversations/conv_{alice.pk}_{bob.pk}/messages"
    into_conversation = client.post(path, {"content": "Hello"})

    assert problem(plain) == problem(into_conversation) == (403, "You cannot message this user")
    assert Message.objects.count() == 1


def test_send_is_not_hindered_by_the_blocks_of_others(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    BlockFactory(blocker=carol, blocked=alice)
    BlockFactory(blocker=bob, blocked=carol)

    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"})

    assert answer.status_code == 201


def test_send_ignores_fields_that_are_not_the_senders_to_set(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    forged = {"id": 777, "sender_id": carol.pk, "is_read": True, "created_at": NOON, "nonsense": {}}
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello", **forged})

    message = Message.objects.get()
    assert answer.status_code == 201
    assert message.pk != 777
    assert message.sender == alice
    assert not message.is_read
    assert message.created_at.isoformat() != NOON


@pytest.mark.parametrize(
    "body", ["{", "[]", '"x"', "null", '{"content": "\\u0000"}', '{"content": "\\ud800"}']
)
def test_send_refuses_a_body_that_is_no_clean_object(as_user: ApiClient, alice: User, body: str) -> None:
    answer = as_user(alice).post("/messages", body, content_type="application/json")

    assert problem(answer)[0] == 400


def test_send_takes_json_alone(as_user: ApiClient, alice: User, bob: User) -> None:
    body = f"recipient_id={bob.pk}&content=Hello"
    answer = as_user(alice).post("/messages", body, content_type="application/x-www-form-urlencoded")

    assert problem(answer)[0] == 415
    assert not Message.objects.exists()


def test_send_answers_the_same_with_a_trailing_slash(as_user: ApiClient, alice: User, bob: User) -> None:
    answer = as_user(alice).post("/messages/", {"recipient_id": bob.pk, "content": "Hello"})

    assert answer.status_code == 201
    assert Message.objects.count() == 1


def test_send_requires_a_login(client: APIClient, bob: User) -> None:
    answer = client.post("/messages", {"recipient_id": bob.pk, "content": "Hello"})

    assert problem(answer)[0] == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert not Message.objects.exists()
