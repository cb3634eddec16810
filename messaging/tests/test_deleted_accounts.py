"""What stays for the other when an account is deleted."""

import pytest

from accounts.models import User
from accounts.services.users import delete_user
from conftest import ApiClient
from messaging.models import Message
from messaging.tests.answers import problem
from tests.factories import MessageFactory

LEFT = "conv_left"


@pytest.fixture
def left(alice: User, bob: User, superuser: User) -> dict[str, Message]:
    """What alice is left with after bob has written, been answered, and gone."""
    received = MessageFactory(sender=bob, recipient=alice, conversation_id=LEFT, content="Hi")
    sent = MessageFactory(sender=alice, recipient=bob, conversation_id=LEFT, parent_id=received.pk)
    last = MessageFactory(sender=bob, recipient=alice, conversation_id=LEFT, content="Bye")
    delete_user(User.objects.get(pk=bob.pk), actor=superuser)
    return {"received": received, "sent": sent, "last": last}


def test_messages_stay_without_the_deleted_account(
    as_user: ApiClient, alice: User, left: dict[str, Message]
) -> None:
    client = as_user(alice)
    people = [(None, alice.pk), (alice.pk, None), (None, alice.pk)]

    for path in ("/messages", f"/auth/conversations/{LEFT}/messages"):
        items = client.get(path).json()
        assert [item["id"] for item in items] == [message.pk for message in left.values()]
        assert [(item["sender_id"], item["recipient_id"]) for item in items] == people
    shown = client.get(f"/messages/{left['sent'].pk}").json()
    assert (shown["recipient_id"], shown["parent_id"]) == (None, left["received"].pk)


@pytest.mark.parametrize("last", ["received", "sent"])
def test_conversation_is_listed_with_a_deleted_user(
    as_user: ApiClient, alice: User, left: dict[str, Message], last: str
) -> None:
    client = as_user(alice)
    if last == "sent":
        client.delete(f"/messages/{left['last'].pk}")

    (item,) = client.get("/auth/conversations").json()

    assert (item["other_user_id"], item["other_user_name"]) == (None, "Deleted user")
    assert item["last_message"] == (left["sent"].content if last == "sent" else "Bye")
    assert item["unread_count"] == (1 if last == "sent" else 2)


def test_conversation_with_a_deleted_user_can_be_read_and_cannot_be_answered(
    as_user: ApiClient, alice: User, bob: User, carol: User, left: dict[str, Message]
) -> None:
    client, path = as_user(alice), f"/auth/conversations/{LEFT}"

    assert client.put(f"{path}/read").status_code == 200
    assert client.get("/messages/unread/count").json() == {"unread_count": 0}
    assert problem(client.post(f"{path}/messages", {"content": "?"})) == (404, "Recipient not found")
    to_bob = {"content": "?", "recipient_id": bob.pk}
    assert problem(client.post(f"{path}/messages", to_bob)) == (404, "Recipient not found")
    to_carol = {"content": "?", "recipient_id": carol.pk}
    assert problem(client.post(f"{path}/messages", to_carol))[0] == 400
    assert Message.objects.count() == 3


def test_conversation_with_a_deleted_user_is_not_free_for_others(
    as_user: ApiClient, carol: User, mallory: User, left: dict[str, Message]
) -> None:
    body = {"content": "Hello", "recipient_id": carol.pk}

    answer = as_user(mallory).post(f"/auth/conversations/{LEFT}/messages", body)

    assert problem(answer) == (404, "Conversation not found")


def test_ones_own_message_to_a_deleted_user_can_be_edited_and_deleted(
    as_user: ApiClient, alice: User, left: dict[str, Message]
) -> None:
    client, path = as_user(alice), f"/messages/{left['sent'].pk}"

    assert client.put(path, {"content": "Edited"}).status_code == 200
    assert client.delete(path).status_code == 200
    assert not Message.objects.filter(pk=left["sent"].pk).exists()


def test_message_of_a_deleted_user_is_gone_once_its_recipient_deletes_it(
    as_user: ApiClient, alice: User, left: dict[str, Message]
) -> None:
    client, path = as_user(alice), f"/messages/{left['last'].pk}"

    assert problem(client.put(path, {"content": "Forged"}))[0] == 403
    assert client.put(f"{path}/read").status_code == 200
    assert client.delete(path).status_code == 200
    assert not Message.objects.filter(pk=left["last"].pk).exists()
    (item,) = client.get("/auth/conversations").json()
    assert item["last_message"] == left["sent"].content


def test_conversation_is_no_longer_listed_once_all_is_deleted(
    as_user: ApiClient, alice: User, left: dict[str, Message]
) -> None:
    client = as_user(alice)

    for message in left.values():
        assert client.delete(f"/messages/{message.pk}").status_code == 200

    assert client.get("/auth/conversations").json() == []
    assert client.get(f"/auth/conversations/{LEFT}/messages").json() == []


def test_unknown_recipient_is_the_answer_to_writing_to_a_deleted_user(
    as_user: ApiClient, alice: User, bob: User, left: dict[str, Message]
) -> None:
    answer = as_user(alice).post("/messages", {"recipient_id": bob.pk, "content": "?"})

    assert problem(answer) == (404, "Recipient not found")
