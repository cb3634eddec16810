"""Sends that race: one message per key, one conversation per pair, an order that pollers can trust."""

from functools import partial

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.tests.threads import run_together
from conftest import ApiClient
from messaging.models import Conversation, Message, Participant
from tests.factories import MessageFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

THREADS = 8


@pytest.mark.parametrize("conversation", ["new", "standing"])
def test_one_key_sends_one_message(as_user: ApiClient, alice: User, bob: User, conversation: str) -> None:
    before = 0
    if conversation == "standing":
        MessageFactory(sender=alice, recipient=bob)
        before = 1
    body, key = {"recipient_id": bob.pk, "content": "Hello"}, {"Idempotency-Key": "one"}

    answers = run_together(
        *(partial(as_user(alice).post, "/messages", body, headers=key) for _ in range(THREADS))
    )

    assert [answer.status_code for answer in answers] == [201] * THREADS
    assert sum("Idempotent-Replayed" not in answer for answer in answers) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Message.objects.count() == before + 1


def test_one_key_with_other_payloads_sends_one_of_them(as_user: ApiClient, alice: User, bob: User) -> None:
    key = {"Idempotency-Key": "one"}
    bodies = [{"recipient_id": bob.pk, "content": f"Hello {number}"} for number in range(THREADS)]

    answers = run_together(*(partial(as_user(alice).post, "/messages", body, headers=key) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [201] + [422] * (THREADS - 1)
    assert Message.objects.count() == 1


@pytest.mark.parametrize("name", [None, "lunch"])
def test_first_messages_of_a_pair_start_one_conversation(
    as_user: ApiClient, alice: User, bob: User, name: str | None
) -> None:
    to_bob, to_alice = (
        {"recipient_id": user.pk, "content": "Hello", "conversation_id": name} for user in (bob, alice)
    )
    acts = [
        partial(as_user(alice).post, "/messages", to_bob),
        partial(as_user(bob).post, "/messages", to_alice),
    ] * 3

    answers = run_together(*acts)

    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.json()["conversation_id"] for answer in answers}) == 1
    assert Conversation.objects.count() == 1
    newest = Message.objects.latest("pk")
    assert set(Participant.objects.values_list("user", "last_message")) == {
        (alice.pk, newest.pk),
        (bob.pk, newest.pk),
    }


def test_new_id_belongs_to_one_of_the_pairs_that_race_for_it(
    as_user: ApiClient, alice: User, bob: User, carol: User, mallory: User
) -> None:
    to_bob, to_carol = (
        {"recipient_id": user.pk, "content": "Hello", "conversation_id": "lunch"} for user in (bob, carol)
    )

    answers = run_together(
        partial(as_user(alice).post, "/messages", to_bob),
        partial(as_user(mallory).post, "/messages", to_carol),
    )

    assert sorted(answer.status_code for answer in answers) == [201, 404]
    assert Message.objects.count() == 1
    assert Participant.objects.count() == 2


def test_poller_sees_each_message_once_in_order_while_senders_race(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    first = MessageFactory(sender=alice, recipient=bob)
    path, each = f"/auth/conversations/{first.conversation_id}/messages", 10
    expected = 4 * each

    def send_some(client: APIClient) -> list[int]:
        return [client.post(path, {"content": "x"}).json()["id"] for _ in range(each)]

    def poll(client: APIClient) -> list[int]:
        seen = [first.pk]
        for _ in range(5000):
            page = client.get(f"{path}?after={seen[-1]}&limit=3").json()
            seen += [item["id"] for item in page]
            if len(seen) > expected and not page:
                break
        return seen[1:]

    senders = [as_user(user) for user in (alice, bob, alice, bob)]
    *sent, seen, also_seen = run_together(
        *(partial(send_some, client) for client in senders),
        partial(poll, as_user(alice)),
        partial(poll, as_user(bob)),
    )

    in_order = sorted(pk for pks in sent for pk in pks)
    assert len(in_order) == expected
    assert seen == also_seen == in_order


def test_parallel_sends_end_with_the_right_last_message_and_count(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    """Each of three conversations is written to from both ends."""
    pairs = [(alice, bob), (bob, alice), (carol, bob), (bob, carol), (alice, carol), (carol, alice)]
    acts = [
        partial(as_user(sender).post, "/messages", {"recipient_id": recipient.pk, "content": "Hello"})
        for sender, recipient in pairs * 2
    ]

    answers = run_together(*acts)

    assert [answer.status_code for answer in answers] == [201] * len(acts)
    assert Participant.objects.count() == 6
    for user in (alice, bob, carol):
        client = as_user(user)
        assert client.get("/messages/unread/count").json() == {"unread_count": 4}
        for item in client.get("/auth/conversations").json():
            newest = client.get(f"/auth/conversations/{item['conversation_id']}/messages?limit=1").json()[0]
            assert item["last_message_at"] == newest["created_at"]
            assert item["unread_count"] == 2
