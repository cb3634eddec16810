"""What happens in conversations, as events of those whom it concerns."""

from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from aimessage.events.kinds import EventRow, show_events
from aimessage.events.models import Event
from conftest import ApiClient
from messaging.models import Message
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def given(**message: Any) -> Message:
    """A message that was sent before the events that a test is about."""
    made: Message = MessageFactory(**message)
    Event.objects.all().delete()
    return made


def events_of(user: User) -> list[tuple[str, Any]]:
    """What `user` would be shown by now: type and data, in order."""
    rows = Event.objects.filter(user_id=user.pk).order_by("pk")
    columns = EventRow._fields
    return [
        (event["type"], event["data"])
        for _, event in show_events([EventRow(*r) for r in rows.values_list(*columns)])
    ]


def test_a_message_is_an_event_of_both(as_user: ApiClient, alice: User, bob: User, carol: User) -> None:
    sent = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"}).json()

    for user in (alice, bob):
        ((kind, data),) = events_of(user)
        assert (kind, list(data)) == ("message.created", ["message"])
        assert data["message"] | {"created_at": 0, "updated_at": 0} == sent | {
            "created_at": 0,
            "updated_at": 0,
        }
    assert events_of(carol) == []


def test_a_replay_is_none(as_user: ApiClient, alice: User, bob: User) -> None:
    client = as_user(alice)
    for _ in range(2):
        body = {"recipient_id": bob.pk, "content": "Hello"}
        client.post("/messages", body, headers={"Idempotency-Key": "one"})

    assert [kind for kind, _ in events_of(bob)] == ["message.created"]


def test_an_edit_shows_the_message_as_it_is(as_user: ApiClient, alice: User, bob: User) -> None:
    message = given(sender=alice, recipient=bob)
    client = as_user(alice)
    client.put(f"/messages/{message.pk}", {"content": "Once"})
    client.put(f"/messages/{message.pk}", {"content": "Twice"})

    shown = [(kind, data["message"]["content"]) for kind, data in events_of(bob)]
    assert shown == [("message.updated", "Twice")] * 2
    assert events_of(alice) == events_of(bob)


def test_an_edit_that_changes_nothing_is_none(as_user: ApiClient, alice: User, bob: User) -> None:
    message = given(sender=alice, recipient=bob)
    assert as_user(alice).put(f"/messages/{message.pk}", {}).status_code == 200
    assert events_of(bob) == []


def test_reading_one_is_an_event_of_both_once(as_user: ApiClient, alice: User, bob: User) -> None:
    message = given(sender=alice, recipient=bob)
    client = as_user(bob)
    for _ in range(2):
        client.put(f"/messages/{message.pk}/read")

    ids = {"message_id": message.pk, "conversation_id": message.conversation_id}
    assert events_of(alice) == events_of(bob) == [("message.read", {**ids, "reader_id": bob.pk})]


@pytest.mark.parametrize("path", ["/auth/conversations/{}/read", "/messages/read-all"])
def test_reading_a_conversation_is_one_event(as_user: ApiClient, alice: User, bob: User, path: str) -> None:
    messages = [given(sender=alice, recipient=bob) for _ in range(3)]
    own = given(sender=bob, recipient=alice)
    client = as_user(bob)
    for _ in range(2):
        client.put(path.format(own.conversation_id))

    data = {"reader_id": bob.pk, "up_to_message_id": messages[-1].pk}
    data["conversation_id"] = own.conversation_id
    assert events_of(alice) == events_of(bob) == [("conversation.read", data)]


def test_reading_all_is_one_event_a_conversation(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    for sender in (alice, carol, alice, carol):
        given(sender=sender, recipient=bob)

    as_user(bob).put("/messages/read-all")

    assert len(events_of(bob)) == 2
    assert [kind for kind, _ in events_of(alice) + events_of(carol)] == ["conversation.read"] * 2


def test_deletion_by_the_sender_is_an_event_of_both(as_user: ApiClient, alice: User, bob: User) -> None:
    message = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"}).json()

    as_user(alice).delete(f"/messages/{message['id']}")

    ids = {"message_id": message["id"], "conversation_id": message["conversation_id"]}
    # Neither may see the message any more, so that it was sent is left out.
    assert events_of(alice) == events_of(bob) == [("message.deleted", ids)]


def test_deletion_by_the_recipient_is_theirs_alone(as_user: ApiClient, alice: User, bob: User) -> None:
    message = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "Hello"}).json()

    as_user(bob).delete(f"/messages/{message['id']}")
    assert [kind for kind, _ in events_of(bob)] == ["message.deleted"]
    assert [kind for kind, _ in events_of(alice)] == ["message.created"]

    as_user(alice).delete(f"/messages/{message['id']}")
    assert [kind for kind, _ in events_of(bob)] == ["message.deleted"]
    assert [kind for kind, _ in events_of(alice)] == ["message.deleted"]


def test_a_block_is_an_event_of_the_blocker_alone(as_user: ApiClient, alice: User, mallory: User) -> None:
    client = as_user(alice)
    for _ in range(2):
        block = client.post("/auth/blocks", {"user_id": mallory.pk}).json()
    ((kind, data),) = events_of(alice)
    assert (kind, data["user_id"], data["username"]) == ("block.created", mallory.pk, "mallory")
    assert set(data) == set(block)

    client.delete(f"/auth/blocks/{mallory.pk}")

    assert events_of(alice) == [("block.deleted", {"user_id": mallory.pk})]
    assert events_of(mallory) == []


def test_typing_is_shown_to_the_other(as_user: ApiClient, alice: User, bob: User, carol: User) -> None:
    conversation = given(sender=alice, recipient=bob).conversation_id

    assert as_user(alice).post(f"/auth/conversations/{conversation}/typing").status_code == 204

    data = {"conversation_id": conversation, "user_id": alice.pk, "expires_in": 6}
    assert events_of(bob) == [("typing", data)]
    assert events_of(alice) == []
    for path in (conversation, "none", "conv_-1_1", "x" * 101):
        assert as_user(carol).post(f"/auth/conversations/{path}/typing").status_code == 404


@pytest.mark.parametrize("blocker", [0, 1])
def test_typing_never_crosses_a_block(as_user: ApiClient, alice: User, bob: User, blocker: int) -> None:
    conversation = given(sender=alice, recipient=bob).conversation_id
    pair = (alice, bob)
    as_user(pair[blocker]).post("/auth/blocks", {"user_id": pair[1 - blocker].pk})

    answer = as_user(alice).post(f"/auth/conversations/{conversation}/typing")

    assert answer.status_code == 403
    assert (answer.json()["code"], answer.json()["detail"]) == ("blocked", "You cannot message this user")
    assert not Event.objects.filter(kind="typing").exists()


def test_typing_is_throttled(as_user: ApiClient, alice: User, bob: User, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "typing": (2, 60)}
    conversation = given(sender=alice, recipient=bob).conversation_id

    client = as_user(alice)
    answers = [client.post(f"/auth/conversations/{conversation}/typing") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [204, 204, 429]
    assert int(answers[2]["Retry-After"]) > 0
    assert Event.objects.filter(kind="typing").count() == 2


def test_what_fails_is_no_event(as_user: ApiClient, alice: User, bob: User, carol: User) -> None:
    message = given(sender=alice, recipient=bob)
    as_user(bob).put(f"/messages/{message.pk}", {"content": "Mine"})
    as_user(carol).delete(f"/messages/{message.pk}")
    as_user(alice).put(f"/messages/{message.pk}/read")
    as_user(alice).post("/messages", {"recipient_id": alice.pk, "content": "Hello"})

    assert not Event.objects.exists()
    assert Message.objects.count() == 1
