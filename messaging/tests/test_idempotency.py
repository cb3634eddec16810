"""`Idempotency-Key` on both ways to send a message."""

from typing import Any

import pytest

from accounts.models import User
from conftest import ApiClient
from messaging.models import Conversation, Message
from messaging.tests.answers import problem
from tests.factories import BlockFactory

KEY = {"Idempotency-Key": "7f9c24e8-3b12-4f4e"}


@pytest.fixture(params=["messages", "conversation"])
def path(request: pytest.FixtureRequest, alice: User, bob: User) -> str:
    conversation = f"/auth/conversations/conv_{alice.pk}_{bob.pk}/messages"
    return "/messages" if request.param == "messages" else conversation


@pytest.fixture
def body(bob: User) -> dict[str, Any]:
    return {"recipient_id": bob.pk, "content": "Hello"}


def test_same_key_and_payload_answer_with_the_first_message(
    as_user: ApiClient, alice: User, path: str, body: dict[str, Any]
) -> None:
    client = as_user(alice)
    first = client.post(path, body, headers=KEY)

    again = [client.post(path, body, headers=KEY), as_user(alice).post(path, body, headers=KEY)]

    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first
    assert [answer.status_code for answer in again] == [201, 201]
    assert [answer["Idempotent-Replayed"] for answer in again] == ["true", "true"]
    assert [answer.json() for answer in again] == [first.json()] * 2
    assert Message.objects.count() == 1


def test_same_payload_in_other_words_is_the_same(
    as_user: ApiClient, alice: User, bob: User, path: str
) -> None:
    """The order of keys, escapes, white space and unknown fields make no other payload."""
    client = as_user(alice)
    one = f'{{"recipient_id": {bob.pk}, "content": "H\\u00e9"}}'
    other = f'{{ "content": "Hé",\n"unknown": 1, "recipient_id": {bob.pk} }}'

    answers = [client.post(path, text, content_type="application/json", headers=KEY) for text in (one, other)]

    assert [answer.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
    assert Message.objects.count() == 1


@pytest.mark.parametrize("change", ["content", "parent", "recipient", "conversation"])
def test_same_key_with_another_payload_is_422(
    as_user: ApiClient, alice: User, carol: User, path: str, body: dict[str, Any], change: str
) -> None:
    client = as_user(alice)
    first = client.post(path, body, headers=KEY).json()
    changes: dict[str, dict[str, Any]] = {
        "content": {"content": "Hello "},
        "parent": {"parent_id": first["id"]},
        "recipient": {"recipient_id": carol.pk},
        "conversation": {"conversation_id": "lunch"},
    }

    other = client.post("/messages", {**body, **changes[change]}, headers=KEY)

    assert problem(other)[0] == 422
    assert Message.objects.get().content == "Hello"
    assert Conversation.objects.count() == 1


def test_key_is_ones_own(as_user: ApiClient, alice: User, bob: User, carol: User) -> None:
    body = {"recipient_id": carol.pk, "content": "Hello"}

    answers = [as_user(user).post("/messages", body, headers=KEY) for user in (alice, bob)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.get("Idempotent-Replayed") for answer in answers] == [None, None]
    assert Message.objects.count() == 2


def test_keys_tell_apart_what_is_otherwise_the_same(
    as_user: ApiClient, alice: User, path: str, body: dict[str, Any]
) -> None:
    client = as_user(alice)

    for headers in ({"Idempotency-Key": "a"}, {"Idempotency-Key": "A"}, {}, {}):
        assert "Idempotent-Replayed" not in client.post(path, body, headers=headers)
    assert Message.objects.count() == 4


def test_key_of_a_refused_request_is_not_used_up(
    as_user: ApiClient, alice: User, bob: User, path: str, body: dict[str, Any]
) -> None:
    block = BlockFactory(blocker=bob, blocked=alice)
    client = as_user(alice)

    refused = client.post(path, body, headers=KEY)
    block.delete()
    sent = client.post(path, body, headers=KEY)

    assert (refused.status_code, sent.status_code) == (403, 201)
    assert "Idempotent-Replayed" not in sent
    assert Message.objects.count() == 1


def test_replay_answers_although_one_could_not_send_any_more(
    as_user: ApiClient, alice: User, bob: User, path: str, body: dict[str, Any]
) -> None:
    client = as_user(alice)
    first = client.post(path, body, headers=KEY)
    BlockFactory(blocker=bob, blocked=alice)
    User.objects.filter(pk=bob.pk).update(is_active=False)

    again = client.post(path, body, headers=KEY)

    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == first.json()


def test_replay_shows_the_message_as_it_is_now(
    as_user: ApiClient, alice: User, bob: User, path: str, body: dict[str, Any]
) -> None:
    client = as_user(alice)
    pk = client.post(path, body, headers=KEY).json()["id"]
    client.put(f"/messages/{pk}", {"content": "Edited"})
    as_user(bob).delete(f"/messages/{pk}")

    again = client.post(path, body, headers=KEY)

    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == client.get(f"/messages/{pk}").json()
    assert Message.objects.count() == 1


@pytest.mark.parametrize("key", ["!", "~" * 255, '"quoted"', "a,b;c"])
def test_key_of_visible_ascii_is_taken(
    as_user: ApiClient, alice: User, path: str, body: dict[str, Any], key: str
) -> None:
    client = as_user(alice)

    answers = [client.post(path, body, headers={"Idempotency-Key": key}) for _ in range(2)]

    assert [answer.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
    assert Message.objects.get().idempotency_key == key


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ü", "a\tb", "\x7f"])
def test_key_of_another_form_is_refused(
    as_user: ApiClient, alice: User, path: str, body: dict[str, Any], key: str
) -> None:
    answer = as_user(alice).post(path, body, headers={"Idempotency-Key": key})

    assert problem(answer)[0] == 400
    assert not Message.objects.exists()
