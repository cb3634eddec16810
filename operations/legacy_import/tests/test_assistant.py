"""What people and the former backend's assistant, who was -1, wrote to each other (B50)."""

from typing import Any

from accounts.models import User
from assistant.account import get_profile
from assistant.models import Profile
from conftest import ApiClient
from messaging.models import Message
from operations.legacy_import.tests.conftest import MoveIn, found
from operations.legacy_import.tests.old_backend import OldBackend


def test_the_old_assistant_is_this_one(
    old: OldBackend, move_in: MoveIn, as_user: ApiClient, assistant_on: None
) -> None:
    old.user(1)
    old.user(2)
    old.message(1, 1, -1, content="Hello", conversation_id="conv_-1_1")
    old.message(2, -1, 1, content="Hi!", conversation_id="conv_-1_1", parent_id=1)
    old.message(3, 2, -1, content="And me?")
    old.message(4, 1, 9, content="To somebody who is gone")

    move_in(old)

    bot = get_profile().user
    assert bot.pk > 9
    assert bot.kind == "bot"
    rows = list(Message.objects.order_by("pk").values_list("sender_id", "recipient_id", "conversation_id"))
    assert rows == [
        (1, bot.pk, f"conv_1_{bot.pk}"),
        (bot.pk, 1, f"conv_1_{bot.pk}"),
        (2, bot.pk, f"conv_2_{bot.pk}"),
        (1, None, "conv_1_9"),
    ]
    assert Message.objects.get(pk=2).parent_id == 1
    assert found("messages", 1) == found("messages", 2) == found("messages", 3) == []
    client = as_user(User.objects.get(pk=1))
    (_, conversation) = client.get("/auth/conversations").json()
    assert (conversation["other_user_id"], conversation["other_user_kind"]) == (bot.pk, "bot")
    assert client.get("/messages/history").json()["history"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi!"},
    ]
    assert len(client.get("/auth/conversations/conv_-1_1/messages").json()) == 2


def test_without_it_no_account_is_made(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1)
    old.user(2)
    old.message(1, 1, 2)
    move_in(old)
    assert not Profile.objects.exists()


def test_an_account_that_was_made_before_is_not_in_the_way(
    old: OldBackend, move_in: MoveIn, db: None
) -> None:
    taken: Any = get_profile().user_id
    old.user(taken)
    old.message(1, taken, -1, content="Hello")
    move_in(old)
    assert User.objects.get(pk=taken).kind == "person"
    assert get_profile().user_id > taken
    move_in(old)  # again, and nothing changes
    assert Message.objects.count() == 1
