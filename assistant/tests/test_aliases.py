"""The ids by which clients of the former backend name the assistant (B08)."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from assistant.models import Profile, Reply
from assistant.tests.conftest import SwitchOn, ask, work
from assistant.tests.stub import Says
from messaging.models import Block

pytestmark = pytest.mark.django_db
ApiClient = Callable[..., Any]


@pytest.fixture
def talking(switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile) -> Any:
    """A client of alice, who has talked with the assistant."""
    switch_on(Says("Hello"))
    client = as_user(alice)
    ask(client)
    work()
    return client


def test_its_conversation_is_found_by_its_old_name(
    talking: Any, as_user: ApiClient, alice: User, bob: User
) -> None:
    old = f"conv_-1_{alice.pk}"
    (first, second) = talking.get(f"/auth/conversations/{old}/messages").json()
    real = first["conversation_id"]
    assert real == second["conversation_id"] != old
    assert talking.get(f"/messages?conversation_id={old}").json() == [first, second]
    assert talking.get(f"/messages/received?conversation_id={old}").json() == [second]
    assert talking.put(f"/auth/conversations/{old}/read").status_code == 200
    assert talking.get("/messages/unread/count").json() == {"unread_count": 0}
    assert talking.post(f"/auth/conversations/{old}/typing").status_code == 204
    sent = talking.post(f"/auth/conversations/{old}/messages", {"content": "Again"})
    assert (sent.status_code, sent.json()["conversation_id"]) == (201, real)
    sent = talking.post("/messages", {"recipient_id": -1, "conversation_id": old, "content": "Again"})
    assert (sent.status_code, sent.json()["conversation_id"]) == (201, real)
    assert Reply.objects.count() == 3

    stranger = as_user(bob)
    for path in (
        f"/auth/conversations/{old}/messages",
        f"/auth/conversations/conv_-1_{alice.pk + 99}/messages",
    ):
        assert stranger.get(path).status_code == 404
        assert stranger.post(path, {"recipient_id": -1, "content": "Hi"}).status_code == 404
    assert stranger.get(f"/messages?conversation_id={old}").json() == []
    body = {"recipient_id": alice.pk, "conversation_id": old, "content": "Mine now"}
    assert stranger.post("/messages", body).status_code == 404


@pytest.mark.parametrize(
    "name", ["conv_-1_0{}", "conv_{}_-1", "conv_-01_{}", "conv_-2_{}", "conv_+1_{}", "conv_--1_{}"]
)
def test_nothing_like_it_is_taken(talking: Any, alice: User, name: str) -> None:
    path = f"/auth/conversations/{name.format(alice.pk)}/messages"
    assert talking.get(path).status_code == 404
    sent = talking.post(path, {"recipient_id": -1, "content": "Hi"})
    assert sent.status_code == (201 if name.startswith("conv_--") else 404)


def test_a_conversation_can_begin_by_its_old_name(
    switch_on: SwitchOn, as_user: ApiClient, alice: User, bot: Profile
) -> None:
    switch_on()
    path = f"/auth/conversations/conv_-1_{alice.pk}/messages"
    sent = as_user(alice).post(path, {"recipient_id": -1, "content": "Hi"})
    assert sent.status_code == 201
    assert sent.json()["recipient_id"] == bot.user_id


def test_lists_and_blocks_take_its_old_id(talking: Any, alice: User, bot: Profile) -> None:
    assert len(talking.get("/messages?with_user=-1").json()) == 2
    assert talking.get("/messages?with_user=-2").status_code == 400
    assert talking.get("/messages?with_user=-1x").status_code == 400

    blocked = talking.post("/auth/blocks", {"user_id": -1})
    assert (blocked.status_code, blocked.json()["user_id"]) == (201, bot.user_id)
    refused = talking.post("/messages", {"recipient_id": -1, "content": "Hi"})
    assert (refused.status_code, refused.json()["code"]) == (403, "blocked")
    assert talking.delete("/auth/blocks/-2").status_code == 404
    assert talking.delete("/auth/blocks/-1").status_code == 200
    assert not Block.objects.exists()


def test_it_is_the_same_payload_by_either_id(talking: Any, bot: Profile) -> None:
    headers = {"HTTP_IDEMPOTENCY_KEY": "once"}
    first = talking.post("/messages", {"recipient_id": -1, "content": "Hi"}, **headers)
    again = talking.post("/messages", {"recipient_id": bot.user_id, "content": "Hi"}, **headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


def test_it_is_a_whole_number_that_stands_for_it(talking: Any) -> None:
    for value in (-1.0, "-1", [-1], True, -(10**30)):
        answer = talking.post("/messages", {"recipient_id": value, "content": "Hi"})
        assert answer.status_code in (400, 404)
    assert Reply.objects.count() == 1


def test_no_answer_holds_it(talking: Any) -> None:
    for path in (
        "/messages",
        "/auth/conversations",
        "/auth/directory?search=ass",
        "/assistant",
        "/assistant/replies",
    ):
        body = talking.get(path).content.decode()
        assert "-1" not in body.replace("-11-", "")
