"""Read and unread: PUT …/read, PUT /messages/read-all, GET /messages/unread/count."""

import pytest
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.services import reading as services
from messaging.tests.answers import problem
from tests.factories import MessageFactory


def unread(user: User) -> int:
    return Message.objects.filter(recipient=user, is_read=False).count()


def test_read_marks_a_message_and_says_so_again(as_user: ApiClient, alice: User, bob: User) -> None:
    message, other = (MessageFactory(sender=alice, recipient=bob) for _ in range(2))
    client = as_user(bob)

    answers = [client.put(f"/messages/{message.pk}/read") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json() == {"message": "Message marked as read"}
    assert client.get(f"/messages/{message.pk}").json()["is_read"] is True
    assert client.get(f"/messages/{other.pk}").json()["is_read"] is False


def test_read_is_for_the_recipient_alone(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)

    answer = as_user(alice).put(f"/messages/{message.pk}/read")

    assert problem(answer) == (403, "Only the recipient can mark this message as read")
    assert unread(bob) == 1


def test_read_refuses_a_broken_body(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)

    answer = as_user(bob).put(f"/messages/{message.pk}/read", "{", content_type="application/json")

    assert problem(answer)[0] == 400
    assert unread(bob) == 1


def test_unread_count_is_of_what_was_received_and_is_still_there(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    MessageFactory(sender=alice, recipient=bob)
    MessageFactory(sender=carol, recipient=bob)
    MessageFactory(sender=alice, recipient=bob, is_read=True)
    deleted = MessageFactory(sender=alice, recipient=bob)
    MessageFactory(sender=bob, recipient=alice)
    client = as_user(bob)
    client.delete(f"/messages/{deleted.pk}")

    answer = client.get("/messages/unread/count")

    assert (answer.status_code, answer.json()) == (200, {"unread_count": 2})


def test_read_all_marks_all_that_one_received_and_nothing_else(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    for sender, recipient in [(alice, bob), (carol, bob), (bob, alice), (alice, carol)]:
        MessageFactory(sender=sender, recipient=recipient)
    client = as_user(bob)

    answers = [client.put("/messages/read-all") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json() == {"message": "All messages marked as read"}
    assert [unread(user) for user in (alice, bob, carol)] == [1, 0, 1]


def test_read_all_goes_on_after_a_batch(
    as_user: ApiClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "READ_BATCH", 2)
    MessageFactory.create_batch(5, sender=alice, recipient=bob)

    as_user(bob).put("/messages/read-all")

    assert unread(bob) == 0


def test_conversation_read_marks_that_conversation_alone(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    MessageFactory(sender=alice, recipient=bob, conversation_id="side-channel")
    MessageFactory(sender=carol, recipient=bob)
    MessageFactory(sender=bob, recipient=alice)
    client = as_user(bob)

    answer = client.put(f"/auth/conversations/{message.conversation_id}/read")

    assert (answer.status_code, answer.json()) == (200, {"message": "Conversation marked as read"})
    assert [unread(user) for user in (alice, bob)] == [1, 2]
    message.refresh_from_db()
    assert message.is_read


@pytest.mark.parametrize("who", ["carol", "superuser"])
def test_conversation_read_is_404_for_an_outsider(
    as_user: ApiClient, alice: User, bob: User, who: str, request: pytest.FixtureRequest
) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    client = as_user(request.getfixturevalue(who))

    strange = client.put(f"/auth/conversations/{message.conversation_id}/read")
    missing = client.put("/auth/conversations/none/read")

    assert problem(strange) == (404, "Conversation not found")
    assert strange.json() == missing.json()
    assert unread(bob) == 1


@pytest.mark.parametrize(
    "path", ["/messages/{id}/read", "/messages/read-all", "/auth/conversations/{conversation}/read"]
)
def test_marking_as_read_does_not_touch_updated_at(
    as_user: ApiClient, alice: User, bob: User, time_machine: TimeMachineFixture, path: str
) -> None:
    time_machine.move_to("2026-01-02T12:00:00Z", tick=False)
    message = MessageFactory(sender=alice, recipient=bob)
    time_machine.move_to("2026-01-02T12:05:00Z", tick=False)

    as_user(bob).put(path.format(id=message.pk, conversation=message.conversation_id))

    marked = Message.objects.get()
    assert marked.is_read
    assert marked.updated_at == message.updated_at
