"""GET and POST /auth/conversations/{id}/messages; what the lists share is in test_message_lists.py."""

from itertools import count
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from conftest import ApiClient
from messaging.models import Conversation, Message, Participant
from messaging.tests.answers import NO_INTEGERS, UNKNOWN_IDS, faults, problem
from tests.factories import MessageFactory

PATH = "/auth/conversations/{}/messages"


@pytest.fixture
def standing(alice: User, bob: User) -> str:
    """A conversation of alice and bob that has a name of its own, and one message."""
    return MessageFactory(sender=alice, recipient=bob, conversation_id="lunch").conversation_id


def test_conversation_messages_are_those_of_the_conversation(
    as_user: ApiClient, alice: User, bob: User, standing: str
) -> None:
    MessageFactory(sender=bob, recipient=alice)
    reply = MessageFactory(sender=bob, recipient=alice, conversation_id=standing)

    answers = [as_user(user).get(PATH.format(standing)) for user in (alice, bob)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert [item["conversation_id"] for item in answers[0].json()] == [standing] * 2
    assert answers[0].json()[-1] == as_user(alice).get(f"/messages/{reply.pk}").json()


def test_conversation_messages_do_not_exist_for_outsiders(
    as_user: ApiClient, carol: User, superuser: User, standing: str
) -> None:
    for outsider in (carol, superuser):
        client = as_user(outsider)
        strange, missing = (client.get(PATH.format(name)) for name in (standing, "supper"))

        assert problem(strange) == (404, "Conversation not found")
        assert strange.json() == missing.json()


@pytest.mark.parametrize(
    "path",
    [
        PATH + "?",
        PATH + "?search=tea&",
        "/messages?conversation_id={}&",
        "/messages/sent?conversation_id={}&",
    ],
)
@pytest.mark.parametrize("page", ["", "skip=1", "before=1000000", "unread_only=true"])
@pytest.mark.skipif(connection.vendor != "sqlite", reason="tests/test_plans.py has it for PostgreSQL")
def test_an_outsider_waits_no_longer_for_a_long_conversation_than_for_a_missing_one(
    as_user: ApiClient, bob: User, carol: User, standing: str, path: str, page: str
) -> None:
    (first,) = Message.objects.all()
    fields = {"sender": first.sender, "recipient": bob, "conversation_id": standing, "content": "tea"}
    Message.objects.bulk_create(Message(**fields) for _ in range(1000))
    client = as_user(carol)

    def steps(name: str) -> int:
        """How many instructions SQLite runs for an answer."""
        counted = count()
        connection.connection.set_progress_handler(lambda: next(counted) < 0, 1)
        try:
            client.get(path.format(name) + page)
        finally:
            connection.connection.set_progress_handler(None, 1)
        return next(counted)

    steps("any")  # which has the SQL made
    assert steps(standing) == pytest.approx(steps("nothing"), abs=50)


@pytest.mark.parametrize("raw", ["a%20b", "%C3%BC", "a%0A", "x" * 101, "a%00b", "a*b"])
def test_conversation_is_not_found_by_what_is_no_id(
    as_user: ApiClient, alice: User, bob: User, raw: str
) -> None:
    client = as_user(alice)

    answers = [client.get(PATH.format(raw)), client.put(f"/auth/conversations/{raw}/read")]
    answers.append(client.post(PATH.format(raw), {"recipient_id": bob.pk, "content": "Hello"}))

    assert [problem(answer) for answer in answers] == [(404, "Conversation not found")] * 3
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_conversation_knows_its_recipient(
    as_user: ApiClient, alice: User, bob: User, standing: str, who: str
) -> None:
    sender, recipient = (alice, bob) if who == "alice" else (bob, alice)
    client = as_user(sender)

    answers = [
        client.post(PATH.format(standing), {"content": "Hello", **more})
        for more in ({}, {"recipient_id": None}, {"recipient_id": recipient.pk})
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert {answer.json()["recipient_id"] for answer in answers} == {recipient.pk}
    assert {answer.json()["conversation_id"] for answer in answers} == {standing}
    assert recipient.received_messages.filter(conversation=standing).count() >= 3


def test_conversation_refuses_another_recipient(
    as_user: ApiClient, alice: User, bob: User, carol: User, standing: str
) -> None:
    body = {"recipient_id": carol.pk, "content": "Hello"}
    client = as_user(alice)

    into = client.post(PATH.format(standing), body)
    named = client.post("/messages", {**body, "conversation_id": standing})
    default = MessageFactory(sender=alice, recipient=bob).conversation_id
    into_default = client.post(PATH.format(default), body)

    assert faults(into) == faults(named) == faults(into_default) == {"recipient_id"}
    assert not carol.received_messages.exists()


def test_conversation_refuses_oneself_as_recipient(as_user: ApiClient, alice: User, standing: str) -> None:
    answer = as_user(alice).post(PATH.format(standing), {"recipient_id": alice.pk, "content": "Hello"})

    assert problem(answer) == (400, "Cannot send message to yourself")
    assert Message.objects.count() == 1


@pytest.mark.parametrize("value", UNKNOWN_IDS)
def test_conversation_does_not_find_an_unknown_recipient(
    as_user: ApiClient, alice: User, standing: str, value: int
) -> None:
    answers = [
        as_user(alice).post(PATH.format(name), {"recipient_id": value, "content": "Hello"})
        for name in (standing, "supper")
    ]

    assert [problem(answer) for answer in answers] == [(404, "Recipient not found")] * 2
    assert Conversation.objects.count() == 1


@pytest.mark.parametrize("value", NO_INTEGERS)
def test_conversation_refuses_a_recipient_that_is_no_integer(
    as_user: ApiClient, alice: User, standing: str, value: str
) -> None:
    body = f'{{"recipient_id": {value}, "content": "Hello"}}'
    answer = as_user(alice).post(PATH.format(standing), body, content_type="application/json")

    assert faults(answer) == {"recipient_id"}
    assert Message.objects.count() == 1


def test_conversation_does_not_send_to_a_disabled_participant(
    as_user: ApiClient, alice: User, bob: User, standing: str
) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)

    answers = [
        as_user(alice).post(PATH.format(standing), {"content": "Hello", **more})
        for more in ({}, {"recipient_id": bob.pk})
    ]

    assert [problem(answer) for answer in answers] == [(404, "Recipient not found")] * 2
    assert Message.objects.count() == 1


@pytest.mark.parametrize("content", ["", " ", "x" * 20_001, None, 5])
def test_conversation_refuses_content(as_user: ApiClient, alice: User, standing: str, content: Any) -> None:
    answer = as_user(alice).post(PATH.format(standing), {"content": content})

    assert faults(answer) == {"content"}
    assert Message.objects.count() == 1


def test_conversation_named_by_the_path_is_not_overruled_by_the_body(
    as_user: ApiClient, alice: User, standing: str
) -> None:
    answer = as_user(alice).post(PATH.format(standing), {"content": "Hello", "conversation_id": "supper"})

    assert (answer.status_code, answer.json()["conversation_id"]) == (201, standing)
    assert Conversation.objects.count() == 1


def test_conversation_without_visible_messages_is_empty_and_can_be_written_to(
    as_user: ApiClient, alice: User, standing: str
) -> None:
    client = as_user(alice)
    client.delete(f"/messages/{Message.objects.get().pk}")

    empty = client.get(PATH.format(standing))
    sent = client.post(PATH.format(standing), {"content": "Again"})

    assert (empty.status_code, empty.json()) == (200, [])
    assert sent.status_code == 201
    assert Participant.objects.filter(last_message=sent.json()["id"]).count() == 2
