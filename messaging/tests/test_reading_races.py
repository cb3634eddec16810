"""Sends, deletions and marks as read that race: no deadlock, no 5xx, the right count and last message."""

from functools import partial
from itertools import chain

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.tests.threads import run_together
from conftest import ApiClient
from messaging.models import Message, Participant
from tests.factories import MessageFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def check_summaries() -> None:
    """Each participant's last message is the newest that he can see."""
    for participant in Participant.objects.select_related("user"):
        seen = Message.objects.visible_to(participant.user).filter(conversation=participant.conversation_id)
        assert participant.last_message == seen.order_by("pk").last()


def test_sends_deletions_and_marks_of_one_conversation(as_user: ApiClient, alice: User, bob: User) -> None:
    """Replies included, whose rows a deletion of their parent changes."""
    sent = [MessageFactory(sender=alice, recipient=bob) for _ in range(12)]
    replies = [MessageFactory(sender=alice, recipient=bob, parent_id=message.pk) for message in sent]
    conversation = f"/auth/conversations/{sent[0].conversation_id}"

    def delete(client: APIClient, messages: list[Message]) -> list[int]:
        return [client.delete(f"/messages/{message.pk}").status_code for message in messages]

    def send(client: APIClient) -> list[int]:
        body = {"content": "Hello"}
        return [client.post(f"{conversation}/messages", body).status_code for _ in range(8)]

    def mark(client: APIClient) -> list[int]:
        paths = ["/messages/read-all", f"{conversation}/read"] * 6
        return [client.put(path).status_code for path in paths]

    def mark_each(client: APIClient) -> list[int]:
        return [client.put(f"/messages/{message.pk}/read").status_code for message in reversed(replies)]

    statuses = run_together(
        partial(delete, as_user(alice), sent[::-1]),
        partial(delete, as_user(bob), sent + replies[:4]),
        partial(send, as_user(alice)),
        partial(send, as_user(bob)),
        partial(mark, as_user(bob)),
        partial(mark, as_user(bob)),
        partial(mark_each, as_user(bob)),
    )

    assert set(chain(*statuses)) <= {200, 201, 404}
    assert statuses[0] == [200] * 12
    assert not Message.objects.filter(pk__in=[message.pk for message in sent]).exists()
    check_summaries()
    as_user(bob).put("/messages/read-all")
    assert as_user(bob).get("/messages/unread/count").json() == {"unread_count": 0}
    assert as_user(alice).get("/messages/unread/count").json() == {"unread_count": 8}


def test_deletion_of_a_parent_and_marks_of_its_many_replies(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    """All of them lock the same rows: in different orders, they would wait for each other."""
    for _ in range(3):
        parent = MessageFactory(sender=alice, recipient=bob)
        common = {"sender": alice, "recipient": bob, "conversation": parent.conversation, "content": "x"}
        Message.objects.bulk_create(Message(parent=parent, **common) for _ in range(400))

        answers = run_together(
            partial(as_user(alice).delete, f"/messages/{parent.pk}"),
            *(partial(as_user(bob).put, "/messages/read-all") for _ in range(3)),
        )

        assert [answer.status_code for answer in answers] == [200] * 4
        assert not Message.objects.filter(is_read=False).exists()
        assert not Message.objects.exclude(parent=None).exists()


def test_both_delete_the_last_message_while_another_is_sent(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    for _ in range(5):
        last = MessageFactory(sender=alice, recipient=bob)
        path = f"/messages/{last.pk}"

        answers = run_together(
            partial(as_user(alice).delete, path),
            partial(as_user(bob).delete, path),
            partial(as_user(bob).post, "/messages", {"recipient_id": alice.pk, "content": "x"}),
        )

        assert answers[0].status_code == 200
        assert answers[1].status_code in {200, 404}
        assert answers[2].status_code == 201
        check_summaries()
    assert Message.objects.count() == 5


def test_edit_and_deletion_of_one_message(as_user: ApiClient, alice: User, bob: User) -> None:
    for _ in range(5):
        path = f"/messages/{MessageFactory(sender=alice, recipient=bob).pk}"

        edited, deleted = run_together(
            partial(as_user(alice).put, path, {"content": "Edited"}),
            partial(as_user(alice).delete, path),
        )

        assert edited.status_code in {200, 404}
        assert deleted.status_code == 200
    assert not Message.objects.exists()


def test_read_all_in_parallel_marks_everything(
    as_user: ApiClient, alice: User, bob: User, carol: User
) -> None:
    for sender in (alice, carol):
        MessageFactory.create_batch(10, sender=sender, recipient=bob)

    answers = run_together(*(partial(as_user(bob).put, "/messages/read-all") for _ in range(6)))

    assert [answer.status_code for answer in answers] == [200] * 6
    assert not Message.objects.filter(is_read=False).exists()
