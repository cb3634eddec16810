"""DELETE /messages/{id}."""

from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from messaging.models import Message, Participant
from messaging.tests.answers import problem
from tests.factories import MessageFactory

DELETED = {"message": "Message deleted successfully"}


def ids(client: APIClient, path: str) -> list[int]:
    return [message["id"] for message in client.get(path).json()]


def test_deletion_by_the_sender_is_for_both(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)

    answer = as_user(alice).delete(f"/messages/{message.pk}")

    assert (answer.status_code, answer.json()) == (200, DELETED)
    assert not Message.objects.exists()
    for user in (alice, bob):
        client = as_user(user)
        assert problem(client.get(f"/messages/{message.pk}"))[0] == 404
        assert ids(client, "/messages") == []
        assert client.get("/auth/conversations").json() == []
        assert ids(client, f"/auth/conversations/{message.conversation_id}/messages") == []
        assert problem(client.delete(f"/messages/{message.pk}")) == (404, "Message not found")


def test_deletion_by_the_recipient_is_for_the_recipient_alone(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    bobs, alices = as_user(bob), as_user(alice)

    answer = bobs.delete(f"/messages/{message.pk}")

    assert (answer.status_code, answer.json()) == (200, DELETED)
    gone = [bobs.get(f"/messages/{message.pk}"), bobs.delete(f"/messages/{message.pk}")]
    gone.append(bobs.put(f"/messages/{message.pk}/read"))
    assert [problem(each) for each in gone] == [(404, "Message not found")] * 3
    paths = ["/messages", "/messages/received", f"/auth/conversations/{message.conversation_id}/messages"]
    assert [ids(bobs, path) for path in paths] == [[], [], []]
    assert bobs.get("/auth/conversations").json() == []
    assert bobs.get("/messages/unread/count").json() == {"unread_count": 0}
    assert alices.get(f"/messages/{message.pk}").status_code == 200
    assert ids(alices, "/messages/sent") == [message.pk]
    assert [item["last_message"] for item in alices.get("/auth/conversations").json()] == [message.content]


def test_deletion_by_both_leaves_no_row(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)

    answers = [as_user(user).delete(f"/messages/{message.pk}") for user in (bob, alice)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert not Message.objects.exists()


def test_deletion_of_the_last_message_moves_each_side_back_to_what_it_sees(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    """bob has deleted the middle one, so that his list goes back by two and alice's by one."""
    first, middle, last = (MessageFactory(sender=alice, recipient=bob, content=text) for text in "abc")
    as_user(bob).delete(f"/messages/{middle.pk}")

    as_user(alice).delete(f"/messages/{last.pk}")

    listed = [as_user(user).get("/auth/conversations").json()[0]["last_message"] for user in (alice, bob)]
    assert listed == ["b", "a"]
    assert set(Participant.objects.values_list("user", "last_message")) == {
        (alice.pk, middle.pk),
        (bob.pk, first.pk),
    }


def test_deletion_of_the_last_message_by_its_recipient_leaves_the_senders_list(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    MessageFactory(sender=bob, recipient=alice, content="a")
    last = MessageFactory(sender=alice, recipient=bob, content="b")

    as_user(bob).delete(f"/messages/{last.pk}")

    listed = [as_user(user).get("/auth/conversations").json()[0]["last_message"] for user in (alice, bob)]
    assert listed == ["b", "a"]


def test_deletion_of_an_earlier_message_leaves_the_last_one(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    first, last = (MessageFactory(sender=alice, recipient=bob) for _ in range(2))

    as_user(alice).delete(f"/messages/{first.pk}")

    assert list(Participant.objects.values_list("last_message", flat=True)) == [last.pk, last.pk]


def test_deletion_leaves_replies_without_a_parent(as_user: ApiClient, alice: User, bob: User) -> None:
    parent = MessageFactory(sender=alice, recipient=bob)
    reply = MessageFactory(sender=bob, recipient=alice, parent_id=parent.pk)
    updated_at = reply.updated_at

    as_user(alice).delete(f"/messages/{parent.pk}")

    shown = as_user(bob).get(f"/messages/{reply.pk}")
    assert (shown.status_code, shown.json()["parent_id"]) == (200, None)
    reply.refresh_from_db()
    assert (reply.parent, reply.updated_at) == (None, updated_at)


def test_deletion_takes_an_unread_message_off_the_count(as_user: ApiClient, alice: User, bob: User) -> None:
    message, _ = (MessageFactory(sender=alice, recipient=bob) for _ in range(2))

    as_user(alice).delete(f"/messages/{message.pk}")

    assert as_user(bob).get("/messages/unread/count").json() == {"unread_count": 1}
