"""Who sees which messages, conversations and blocks."""

import pytest

from accounts.models import User
from messaging.models import Block, Message
from messaging.selectors import PREVIEW_LENGTH, conversations_of, reachable_by
from tests.factories import BlockFactory, MessageFactory

pytestmark = pytest.mark.django_db


def test_a_block_stands_between_two_either_way_and_between_no_others(
    alice: User, bob: User, carol: User, mallory: User
) -> None:
    mine = BlockFactory(blocker=alice, blocked=bob)
    others = [
        BlockFactory(blocker=alice, blocked=carol),
        BlockFactory(blocker=carol, blocked=bob),
        BlockFactory(blocker=bob, blocked=mallory),
        BlockFactory(blocker=mallory, blocked=alice),
    ]

    for one, other in ((alice, bob), (bob, alice)):
        assert list(Block.objects.between(one.pk, other.pk)) == [mine]
    assert list(Block.objects.between(carol.pk, mallory.pk)) == []
    assert list(Block.objects.by(alice).order_by("pk")) == [mine, others[0]]


def test_people_are_reachable_unless_one_blocks_the_other(
    alice: User, bob: User, carol: User, mallory: User
) -> None:
    BlockFactory(blocker=alice, blocked=bob)
    BlockFactory(blocker=mallory, blocked=alice)
    BlockFactory(blocker=bob, blocked=carol)

    assert set(reachable_by(alice)) == {carol}
    assert set(reachable_by(carol)) == {alice, mallory}
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert set(reachable_by(carol)) == {mallory}


def test_a_message_is_seen_by_its_two_and_by_nobody_else(alice: User, bob: User, carol: User) -> None:
    sent = MessageFactory(sender=alice, recipient=bob)
    deleted = MessageFactory(sender=alice, recipient=bob)
    Message.objects.filter(pk=deleted.pk).update(deleted_by_recipient=True)

    assert set(Message.objects.visible_to(alice)) == {sent, deleted}
    assert set(Message.objects.visible_to(bob)) == {sent}
    assert set(Message.objects.visible_to(carol)) == set()
    assert set(Message.objects.sent_by(alice)) == {sent, deleted}
    assert set(Message.objects.received_by(bob)) == {sent}
    for user in (bob, carol):
        assert not Message.objects.sent_by(user)
    for user in (alice, carol):
        assert not Message.objects.received_by(user)


def test_messages_lie_between_their_two(alice: User, bob: User, carol: User) -> None:
    there, back = MessageFactory(sender=alice, recipient=bob), MessageFactory(sender=bob, recipient=alice)
    MessageFactory(sender=alice, recipient=carol)
    MessageFactory(sender=carol, recipient=bob)

    assert set(Message.objects.between(alice, bob.pk)) == {there, back}
    assert set(Message.objects.between(alice, alice.pk)) == set()


def test_unread_are_counted_for_their_recipient(alice: User, bob: User) -> None:
    for read in (False, False, True):
        MessageFactory(sender=alice, recipient=bob, is_read=read)

    assert list(Message.objects.count_unread_by(bob)) == [(2,)]
    assert list(Message.objects.count_unread_by(alice)) == []


def test_a_conversation_is_summed_up_as_its_list_shows_it(alice: User, bob: User) -> None:
    MessageFactory(sender=bob, recipient=alice)
    last = MessageFactory(sender=alice, recipient=bob, content="x" * 150)

    (row,) = conversations_of(bob)

    assert PREVIEW_LENGTH == 100
    assert row == {
        "conversation_id": last.conversation_id,
        "other_user_id": alice.pk,
        "other_user_name": "alice",
        "other_user_kind": "person",
        "preview": "x" * 100,
        "last_message_id": last.pk,
        "last_message_at": last.created_at,
        "unread_count": 1,
    }
    (mine,) = conversations_of(alice)
    assert (mine["other_user_id"], mine["other_user_name"], mine["unread_count"]) == (bob.pk, "bob", 1)


def test_whoever_is_gone_is_called_so(alice: User, bob: User) -> None:
    MessageFactory(sender=alice, recipient=bob)
    alice.delete()

    (row,) = conversations_of(bob)

    assert (row["other_user_id"], row["other_user_name"]) == (None, "Deleted user")
