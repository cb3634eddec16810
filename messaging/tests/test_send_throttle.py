"""The throttle on sending: per user, over both ways to send."""

import pytest
from pytest_django import Settings
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import problem
from tests.factories import MessageFactory


@pytest.fixture(autouse=True)
def _three_a_minute(settings: Settings, time_machine: TimeMachineFixture) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "send": (3, 60)}
    time_machine.move_to("2026-01-02T12:00:00Z", tick=False)


def test_throttle_refuses_the_fourth_message_and_says_how_long(
    as_user: ApiClient, alice: User, bob: User, time_machine: TimeMachineFixture
) -> None:
    client = as_user(alice)
    body = {"recipient_id": bob.pk, "content": "Hello"}
    first = [client.post("/messages", body).status_code for _ in range(2)]
    first.append(client.post(f"/auth/conversations/conv_{alice.pk}_{bob.pk}/messages", body).status_code)
    time_machine.shift(20)

    refused = client.post("/messages", body)

    assert first == [201, 201, 201]
    assert problem(refused)[0] == 429
    assert refused["Retry-After"] == "40"
    assert Message.objects.count() == 3
    time_machine.shift(40)
    assert client.post("/messages", body).status_code == 201


def test_throttle_holds_for_conversations_as_well(as_user: ApiClient, alice: User, bob: User) -> None:
    path = f"/auth/conversations/conv_{alice.pk}_{bob.pk}/messages"
    client = as_user(alice)

    statuses = [client.post(path, {"recipient_id": bob.pk, "content": "Hello"}).status_code for _ in range(4)]

    assert statuses == [201, 201, 201, 429]
    assert Message.objects.count() == 3


def test_throttle_counts_each_user_apart_and_all_sessions_together(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    to_bob, to_alice = ({"recipient_id": user.pk, "content": "Hello"} for user in (bob, alice))
    alices = [as_user(alice).post("/messages", to_bob).status_code for _ in range(4)]
    bobs = as_user(bob).post("/messages", to_alice).status_code

    assert alices == [201, 201, 201, 429]
    assert bobs == 201


def test_throttle_leaves_reading_alone(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)

    paths = ["/messages", f"/auth/conversations/{message.conversation_id}/messages", "/auth/conversations"]
    statuses = [client.get(path).status_code for path in paths for _ in range(4)]

    assert statuses == [200] * 12


def test_throttle_counts_edits_as_it_counts_messages(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob, content="Hello")
    client = as_user(alice)
    path = f"/messages/{message.pk}"

    statuses = [
        client.put(path, {"content": "one"}).status_code,
        client.patch(path, {"content": "two"}).status_code,
        client.post("/messages", {"recipient_id": bob.pk, "content": "Hello"}).status_code,
        client.put(path, {"content": "three"}).status_code,
        client.patch(path, {"content": "four"}).status_code,
        client.post("/messages", {"recipient_id": bob.pk, "content": "Hello"}).status_code,
    ]

    assert statuses == [200, 200, 201, 429, 429, 429]
    message.refresh_from_db()
    assert message.content == "two"
