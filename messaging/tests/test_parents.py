"""`parent_id`: a message of the same conversation that the caller can see."""

import pytest

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import NO_INTEGERS, UNKNOWN_IDS, faults
from tests.factories import MessageFactory


@pytest.fixture
def parent(alice: User, bob: User) -> Message:
    return MessageFactory(sender=alice, recipient=bob)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_parent_may_be_sent_or_received(
    as_user: ApiClient, alice: User, bob: User, parent: Message, who: str
) -> None:
    """One may answer the other, and oneself; by both ways to send."""
    sender, recipient = (alice, bob) if who == "alice" else (bob, alice)
    body = {"recipient_id": recipient.pk, "content": "Reply", "parent_id": parent.pk}
    client = as_user(sender)

    answers = [client.post("/messages", body)]
    answers.append(client.post(f"/auth/conversations/{parent.conversation_id}/messages", body))

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["parent_id"] for answer in answers] == [parent.pk] * 2
    assert parent.replies.count() == 2


def test_parent_may_be_null(as_user: ApiClient, alice: User, bob: User) -> None:
    body = {"recipient_id": bob.pk, "content": "Hello", "parent_id": None}

    answer = as_user(alice).post("/messages", body)

    assert (answer.status_code, answer.json()["parent_id"]) == (201, None)


@pytest.mark.parametrize("value", UNKNOWN_IDS)
def test_parent_that_is_unknown_is_refused(
    as_user: ApiClient, alice: User, bob: User, parent: Message, value: int
) -> None:
    answer = as_user(alice).post(
        "/messages", {"recipient_id": bob.pk, "content": "Reply", "parent_id": value}
    )

    assert faults(answer) == {"parent_id"}
    assert Message.objects.count() == 1


@pytest.mark.parametrize("value", NO_INTEGERS)
def test_parent_that_is_no_integer_is_refused(
    as_user: ApiClient, alice: User, bob: User, parent: Message, value: str
) -> None:
    body = f'{{"recipient_id": {bob.pk}, "content": "Reply", "parent_id": {value}}}'
    answer = as_user(alice).post("/messages", body, content_type="application/json")

    assert faults(answer) == {"parent_id"}
    assert Message.objects.count() == 1


def test_parent_in_another_conversation_is_refused(
    as_user: ApiClient, alice: User, bob: User, parent: Message
) -> None:
    body = {"recipient_id": bob.pk, "content": "Reply", "parent_id": parent.pk}

    answer = as_user(alice).post("/messages", {**body, "conversation_id": "side-channel"})

    assert faults(answer) == {"parent_id"}
    assert not Message.objects.exclude(pk=parent.pk).exists()
    assert as_user(bob).get("/auth/conversations/side-channel/messages").status_code == 404


def test_parent_of_strangers_is_refused_like_a_missing_one(
    as_user: ApiClient, alice: User, carol: User, parent: Message
) -> None:
    body = {"recipient_id": alice.pk, "content": "Reply"}
    client = as_user(carol)

    strange = client.post("/messages", {**body, "parent_id": parent.pk})
    missing = client.post("/messages", {**body, "parent_id": parent.pk + 1})

    assert faults(strange) == {"parent_id"}
    assert strange.json() == missing.json()


def test_parent_that_one_deleted_for_oneself_is_refused(
    as_user: ApiClient, alice: User, bob: User, parent: Message
) -> None:
    bobs = as_user(bob)
    bobs.delete(f"/messages/{parent.pk}")

    gone = bobs.post("/messages", {"recipient_id": alice.pk, "content": "Reply", "parent_id": parent.pk})
    kept = as_user(alice).post(
        "/messages", {"recipient_id": bob.pk, "content": "Reply", "parent_id": parent.pk}
    )

    assert faults(gone) == {"parent_id"}
    assert kept.status_code == 201
