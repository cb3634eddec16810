"""What the services about messages and blocks refuse, write and leave alone, to the letter."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from accounts.models import User
from aimessage.api.idempotency import IdempotencyKey
from aimessage.api.problems import Forbidden, Invalid, NotFound
from aimessage.server.tests.scraping import Change
from aimessage.tests.asserts import refused
from messaging.models import Block, Conversation, Message, Participant
from messaging.services import reading, retention
from messaging.services.blocks import block_user, unblock_user
from messaging.services.messages import delete_message, edit_message, send_message
from messaging.services.reading import READ_BATCH, mark_message_read, mark_read
from tests.factories import BlockFactory, MessageFactory, UserFactory

pytestmark = pytest.mark.django_db

#: No user, no message.
NOBODY = 10**9


# --- Sending ---


def test_what_a_first_message_needs(alice: User, bob: User) -> None:
    required = ("recipient_id is required to start a conversation", "recipient_id")
    missing = ("Recipient not found", None)

    assert refused(Invalid, lambda: send_message(alice, content="a")) == required
    assert refused(Invalid, lambda: send_message(alice, content="a", conversation_id="lunch")) == required
    oneself = ("Cannot send message to yourself", "recipient_id")
    assert refused(Invalid, lambda: send_message(alice, content="a", recipient_id=alice.pk)) == oneself
    assert refused(NotFound, lambda: send_message(alice, content="a", recipient_id=NOBODY)) == missing
    User.objects.filter(pk=bob.pk).update(is_active=False)
    for name in (None, "lunch"):
        said = refused(
            NotFound,
            lambda name=name: send_message(alice, content="a", recipient_id=bob.pk, conversation_id=name),
        )
        assert said == missing
    assert not Conversation.objects.exists()


def test_what_a_standing_conversation_takes(alice: User, bob: User, carol: User, mallory: User) -> None:
    first = MessageFactory(sender=alice, recipient=bob, conversation_id="lunch")

    def send(sender: User, **more: Any) -> tuple[Message, bool]:
        return send_message(sender, content="a", conversation_id="lunch", **more)

    other = ("The recipient is not the other participant of this conversation", "recipient_id")
    assert refused(Invalid, lambda: send(alice, recipient_id=carol.pk)) == other
    unknown = ("Conversation not found", None)
    assert refused(NotFound, lambda: send(mallory)) == unknown
    for recipient in (alice, bob, carol):
        assert (
            refused(NotFound, lambda recipient=recipient: send(mallory, recipient_id=recipient.pk)) == unknown
        )
    missing = ("Recipient not found", None)
    for sender in (alice, mallory):
        assert refused(NotFound, lambda sender=sender: send(sender, recipient_id=NOBODY)) == missing
    parent = ("The parent is no message of this conversation", "parent_id")
    elsewhere = MessageFactory(sender=alice, recipient=bob)
    for pk in (elsewhere.pk, NOBODY):
        assert refused(Invalid, lambda pk=pk: send(alice, parent_id=pk)) == parent

    reply, is_new = send(bob, parent_id=first.pk)
    assert (reply.recipient_id, reply.parent_id, is_new) == (alice.pk, first.pk, True)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert refused(NotFound, lambda: send(alice)) == missing
    bob.delete()
    assert refused(NotFound, lambda: send(alice)) == missing


def test_a_block_either_way_stops_messages(alice: User, bob: User) -> None:
    BlockFactory(blocker=alice, blocked=bob)

    for sender, recipient in ((alice, bob), (bob, alice)):
        said = refused(
            Forbidden,
            lambda sender=sender, recipient=recipient: send_message(
                sender, content="a", recipient_id=recipient.pk
            ),
        )
        assert said == ("You cannot message this user", None)
    assert not Message.objects.exists()


def test_a_pairs_id_is_for_the_pair(alice: User, bob: User, carol: User) -> None:
    pair, other = f"conv_{alice.pk}_{bob.pk}", f"conv_{bob.pk}_{carol.pk}"

    def start(sender: User, name: str, recipient: User | None) -> Any:
        pk = recipient.pk if recipient else None
        return lambda: send_message(sender, content="a", conversation_id=name, recipient_id=pk)

    unknown = ("Conversation not found", None)
    for sender, name, recipient in (
        (carol, pair, alice),
        (carol, pair, None),
        (alice, pair, carol),
        (alice, other, None),
        (alice, f"conv_{alice.pk}_{alice.pk}", bob),
        (alice, f"conv_{bob.pk}_{alice.pk}", bob),
    ):
        assert refused(NotFound, start(sender, name, recipient)) == unknown
    assert start(alice, pair, bob)()[0].conversation_id == pair
    assert start(alice, f"CONV_{alice.pk}_{bob.pk}", carol)()[0].recipient_id == carol.pk


def test_a_conversation_that_another_started_in_the_same_moment_is_gone_on_with(
    alice: User, bob: User
) -> None:
    looked: list[str] = []
    theirs: list[Message] = []

    def start_meanwhile(execute: Any, sql: str, *args: Any) -> Any:
        if looked and not theirs:
            theirs.append(Message())  # not once more for the queries of this one
            theirs[0] = MessageFactory(sender=bob, recipient=alice)
        result = execute(sql, *args)
        if sql.startswith("SELECT") and '"messaging_conversation"' in sql:
            looked.append(sql)
        return result

    with connection.execute_wrapper(start_meanwhile):
        message, _ = send_message(alice, content="a", recipient_id=bob.pk)

    assert message.conversation_id == theirs[0].conversation_id
    assert message.pk > theirs[0].pk


def test_what_the_database_refuses_for_another_reason_is_no_race(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**fields: Any) -> None:
        raise IntegrityError("something else")

    monkeypatch.setattr(Conversation.objects, "create", refuse)

    with pytest.raises(IntegrityError, match="something else"):
        send_message(alice, content="a", recipient_id=bob.pk)


def test_a_message_is_stored_counted_and_is_the_last_of_both(
    alice: User, bob: User, django_capture_on_commit_callbacks: Any
) -> None:
    counted = Change()
    with django_capture_on_commit_callbacks(execute=True):
        message, _ = send_message(alice, content="Hello", recipient_id=bob.pk)

    row = Message.objects.get()
    assert (row.pk, row.sender, row.recipient, row.content) == (message.pk, alice, bob, "Hello")
    assert (row.parent, row.idempotency_key, row.is_read) == (None, None, False)
    assert set(Participant.objects.values_list("user", "last_message")) == {
        (alice.pk, message.pk),
        (bob.pk, message.pk),
    }
    assert counted.of("messages_sent_total") == {("messages_sent_total",): 1}


def test_a_key_is_its_senders_own(alice: User, bob: User, carol: User) -> None:
    key = IdempotencyKey("key-1", "0" * 64)
    first, _ = send_message(alice, content="a", recipient_id=carol.pk, idempotency_key=key)

    assert send_message(alice, content="a", recipient_id=carol.pk, idempotency_key=key) == (first, False)
    other, is_new = send_message(bob, content="a", recipient_id=carol.pk, idempotency_key=key)
    assert (is_new, other.sender) == (True, bob)
    assert (first.idempotency_key, first.idempotency_hash) == ("key-1", "0" * 64)


# --- Editing, reading, deleting ---


def test_only_the_sender_edits_and_nobody_what_is_gone(alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob, content="before")
    other = MessageFactory(sender=alice, recipient=bob, content="other")
    only = ("Only the sender can update this message", None)
    assert refused(Forbidden, lambda: edit_message(message, editor=bob, content="x")) == only

    assert edit_message(message, editor=alice).content == "before"
    edited = edit_message(message, editor=alice, content="after")
    row = Message.objects.get(pk=message.pk)
    assert (row.content, row.updated_at) == ("after", edited.updated_at)
    assert row.updated_at > row.created_at
    other.refresh_from_db()
    assert other.content == "other"

    Message.objects.filter(pk=message.pk).delete()
    gone = ("Message not found", None)
    assert refused(NotFound, lambda: edit_message(message, editor=alice, content="again")) == gone


def test_only_the_recipient_reads(alice: User, bob: User, carol: User) -> None:
    message, other = (MessageFactory(sender=alice, recipient=bob) for _ in range(2))
    only = ("Only the recipient can mark this message as read", None)
    gone = ("Message not found", None)

    assert refused(Forbidden, lambda: mark_message_read(message.pk, reader=alice)) == only
    assert refused(NotFound, lambda: mark_message_read(message.pk, reader=carol)) == gone
    assert refused(NotFound, lambda: mark_message_read(NOBODY, reader=bob)) == gone
    for _ in range(2):
        mark_message_read(message.pk, reader=bob)

    assert list(Message.objects.order_by("pk").values_list("is_read", flat=True)) == [True, False]
    assert other.recipient == bob


def test_reading_all_goes_on_in_batches_up_to_what_was_there(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert READ_BATCH == 10_000
    monkeypatch.setattr(reading, "READ_BATCH", 2)
    assert mark_read(Message.objects.all(), reader=bob) == 0
    for _ in range(5):
        MessageFactory(sender=alice, recipient=bob)
    own = MessageFactory(sender=bob, recipient=alice)

    assert mark_read(Message.objects.all(), reader=bob) == 5
    assert mark_read(Message.objects.all(), reader=bob) == 0

    own.refresh_from_db()
    assert not own.is_read
    assert Message.objects.filter(recipient=bob, is_read=False).count() == 0


def test_deletion_is_of_what_one_sees(alice: User, bob: User, carol: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    gone = ("Message not found", None)

    assert refused(NotFound, lambda: delete_message(message, actor=carol)) == gone
    delete_message(message, actor=bob)
    assert refused(NotFound, lambda: delete_message(message, actor=bob)) == gone
    assert Message.objects.get().deleted_by_recipient
    delete_message(message, actor=alice)
    assert refused(NotFound, lambda: delete_message(message, actor=alice)) == gone
    assert not Message.objects.exists()


def test_a_deletion_steps_back_for_those_who_saw_it_last_there(alice: User, bob: User, carol: User) -> None:
    first, last = (MessageFactory(sender=alice, recipient=bob) for _ in range(2))
    elsewhere = MessageFactory(sender=alice, recipient=carol)

    def last_of(user: User, conversation: Any) -> int | None:
        return Participant.objects.get(user=user, conversation=conversation).last_message_id

    delete_message(last, actor=bob)
    assert (last_of(alice, last.conversation), last_of(bob, last.conversation)) == (last.pk, first.pk)
    delete_message(first, actor=bob)
    assert (last_of(alice, last.conversation), last_of(bob, last.conversation)) == (last.pk, None)
    delete_message(last, actor=alice)
    assert (last_of(alice, last.conversation), last_of(bob, last.conversation)) == (first.pk, None)
    assert last_of(alice, elsewhere.conversation) == last_of(carol, elsewhere.conversation) == elsewhere.pk


def test_an_earlier_message_that_goes_moves_nobodys_last(alice: User, bob: User) -> None:
    first, last = (MessageFactory(sender=alice, recipient=bob) for _ in range(2))
    # Where it points to something older, it stays there: only the deleted one is stepped back from.
    Participant.objects.filter(user=bob).update(last_message=None)

    delete_message(first, actor=alice)

    pointers = Participant.objects.order_by("user").values_list("last_message", flat=True)
    assert list(pointers) == [last.pk, None]


def test_what_a_deleted_account_left_goes_with_its_recipient(alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    alice.delete()

    delete_message(message, actor=bob)

    assert not Message.objects.exists()


# --- Blocks ---


def test_a_block_is_of_somebody_else_who_is_there(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = ("User not found", None)
    oneself = ("Cannot block yourself", "user_id")
    assert refused(Invalid, lambda: block_user(alice, user_id=alice.pk)) == oneself
    assert refused(NotFound, lambda: block_user(alice, user_id=NOBODY)) == unknown

    block, is_new = block_user(alice, user_id=bob.pk)
    assert (block.blocker, block.blocked, is_new) == (alice, bob, True)
    assert block_user(alice, user_id=bob.pk) == (block, False)

    unblock_user(alice, user_id=bob.pk)
    none = ("Block not found", None)
    assert refused(NotFound, lambda: unblock_user(alice, user_id=bob.pk)) == none

    def refuse(**fields: Any) -> None:
        raise IntegrityError

    # Deleted between the look and the insert.
    monkeypatch.setattr(Block.objects, "get_or_create", refuse)
    assert refused(NotFound, lambda: block_user(alice, user_id=bob.pk)) == unknown


def test_unblocking_lifts_ones_own_block_alone(alice: User, bob: User, carol: User) -> None:
    for blocker, blocked in ((alice, bob), (alice, carol), (bob, alice), (carol, bob)):
        BlockFactory(blocker=blocker, blocked=blocked)

    unblock_user(alice, user_id=bob.pk)

    left = set(Block.objects.values_list("blocker", "blocked"))
    assert left == {(alice.pk, carol.pk), (bob.pk, alice.pk), (carol.pk, bob.pk)}


# --- What is kept ---

NOTHING = {
    "idempotency keys of messages": 0,
    "messages that nobody can see": 0,
    "conversations of deleted accounts": 0,
}


def sweep(**options: Any) -> dict[str, int]:
    return retention.sweep(keep=options.pop("keep", Conversation.objects.none()), **options)


@pytest.fixture
def deserted(alice: User, bob: User) -> Message:
    """The first of two messages in a conversation of two deleted accounts."""
    first = MessageFactory(sender=alice, recipient=bob)
    MessageFactory(sender=bob, recipient=alice, parent_id=first.pk)
    User.objects.filter(pk__in=[alice.pk, bob.pk]).delete()
    return first


def test_what_nobody_sees_goes_and_is_only_counted_in_a_dry_run(deserted: Message) -> None:
    MessageFactory()
    found = {**NOTHING, "messages that nobody can see": 2, "conversations of deleted accounts": 1}

    assert sweep(dry_run=True) == found
    assert (Message.objects.count(), Conversation.objects.count()) == (3, 2)
    assert sweep() == found
    assert (Message.objects.count(), Conversation.objects.count()) == (1, 1)
    assert sweep() == NOTHING


def test_what_is_to_be_kept_stays(deserted: Message) -> None:
    kept = Conversation.objects.filter(pk=deserted.conversation_id)

    assert sweep(keep=kept, dry_run=True) == sweep(keep=kept) == NOTHING
    assert Message.objects.count() == 2


def test_what_one_of_them_sees_stays(alice: User, bob: User) -> None:
    """A deleted account's message stays until its recipient deletes it; a message that has a sender stays."""
    seen = MessageFactory(sender=alice, recipient=bob)
    deleted = MessageFactory(sender=bob, recipient=alice)
    Message.objects.filter(pk=deleted.pk).update(deleted_by_recipient=True)
    User.objects.filter(pk=alice.pk).delete()

    assert sweep() == NOTHING
    assert set(Message.objects.all()) == {seen, deleted}

    Message.objects.filter(pk=seen.pk).update(deleted_by_recipient=True)
    assert sweep() == {**NOTHING, "messages that nobody can see": 1}
    assert set(Message.objects.all()) == {deleted}


def test_a_conversation_without_members_is_not_one_of_deleted_accounts(db: None) -> None:
    """It is as a request that is under way would have it."""
    Conversation.objects.create(pk="lunch")

    assert sweep() == NOTHING


def test_a_conversation_waits_for_its_messages(deserted: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "delete_unseen", lambda pks: 0)

    assert sweep() == NOTHING
    assert Conversation.objects.count() == 1


def test_replies_lose_their_parent(alice: User, bob: User, carol: User) -> None:
    gone = MessageFactory(sender=alice, recipient=bob)
    reply = MessageFactory(sender=bob, recipient=alice, parent_id=gone.pk)
    Message.objects.filter(pk=gone.pk).update(deleted_by_recipient=True)
    User.objects.filter(pk=alice.pk).delete()

    assert sweep() == {**NOTHING, "messages that nobody can see": 1}

    reply.refresh_from_db()
    assert reply.parent_id is None


def test_a_parent_waits_for_a_reply_that_is_busy(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (MessageFactory(sender=alice, recipient=bob) for _ in range(2))
    busy = MessageFactory(sender=bob, recipient=alice, parent_id=first.pk)
    free = MessageFactory(sender=bob, recipient=alice, parent_id=second.pk)
    lock = type(Message.objects.all()).select_for_update
    # As PostgreSQL leaves out what another has locked.
    monkeypatch.setattr(
        type(Message.objects.all()),
        "select_for_update",
        lambda self, **options: lock(self, **options).exclude(pk=busy.pk),
    )

    assert retention.delete_unseen([first.pk, second.pk]) == 1

    assert set(Message.objects.values_list("pk", flat=True)) == {first.pk, busy.pk, free.pk}


def test_keys_are_forgotten_after_a_week_unless_it_is_a_dry_run(alice: User) -> None:
    key = IdempotencyKey("key-1", "0" * 64)
    send_message(alice, content="a", recipient_id=UserFactory().pk, idempotency_key=key)
    assert sweep() == NOTHING
    Message.objects.update(created_at=timezone.now() - timedelta(days=8))

    found = {**NOTHING, "idempotency keys of messages": 1}
    assert sweep(dry_run=True) == found
    assert Message.objects.get().idempotency_key == "key-1"
    assert sweep() == found
    assert Message.objects.get().idempotency_key is None
