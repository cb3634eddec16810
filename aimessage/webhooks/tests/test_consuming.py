"""From what people do to what is sent about it."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.users import delete_user, disable_user
from aimessage.events.models import Consumer
from aimessage.webhooks.consuming import read_log, seconds_behind
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.services import BY_HAND, disable_endpoint, enable_endpoint, register_endpoint
from aimessage.webhooks.tests.receiver import Receiver
from messaging.models import CONTENT_MAX_LENGTH
from tests.factories import UserFactory

# On PostgreSQL the log shows what is committed alone.
pytestmark = pytest.mark.django_db(transaction=True)


def register(url: str, **values: Any) -> Endpoint:
    endpoint = Endpoint(url=url, **values)
    register_endpoint(endpoint)
    return endpoint


def send(as_user: Any, sender: User, recipient: User, content: str = "Hello") -> dict[str, Any]:
    answer = as_user(sender).post("/messages", {"recipient_id": recipient.pk, "content": content})
    assert answer.status_code == 201, answer.content
    shown: dict[str, Any] = answer.json()
    return shown


def bodies(*, endpoint: Endpoint | None = None) -> list[dict[str, Any]]:
    read_log()
    found = Delivery.objects.filter(**({"endpoint": endpoint} if endpoint else {}))
    return [json.loads(body or "") for body in found.order_by("pk").values_list("body", flat=True)]


def kinds_told() -> list[str]:
    return [body["type"] for body in bodies()]


def test_a_message_is_one_webhook_with_ids_only(
    as_user: Any, alice: User, bob: User, endpoint: Endpoint
) -> None:
    message = send(as_user, alice, bob, "Between us")

    (body,) = bodies()

    assert set(body) == {"type", "timestamp", "data"}
    assert body["type"] == "message.created"
    assert body["timestamp"].endswith("Z")
    assert body["data"] == {
        "message_id": message["id"],
        "conversation_id": message["conversation_id"],
        "sender_id": alice.pk,
        "recipient_id": bob.pk,
    }


def test_with_content_the_apis_object_is_sent(
    as_user: Any, alice: User, bob: User, receiver: Receiver
) -> None:
    register(receiver.url, include_content=True)
    message = send(as_user, alice, bob, "Between us")

    (body,) = bodies()

    assert body["data"]["message"] == message
    assert body["data"]["message_id"] == message["id"]
    assert "truncated" not in body["data"]


@pytest.mark.parametrize("letter", ["a", "é", "\\", "\U0001f600", '"'])
def test_a_long_text_is_cut(as_user: Any, alice: User, bob: User, receiver: Receiver, letter: str) -> None:
    register(receiver.url, include_content=True)
    content = "x" * 1000 + letter * (CONTENT_MAX_LENGTH - 1000)
    send(as_user, alice, bob, content)

    (body,) = bodies()

    size = len((Delivery.objects.get().body or "").encode())
    sent = body["data"]["message"]["content"]
    assert 19_990 < size < 20_000
    assert body["data"]["truncated"] is True
    assert len(sent) < len(content)
    assert content.startswith(sent)


def test_each_endpoint_gets_the_kinds_that_it_takes(
    as_user: Any, alice: User, bob: User, endpoint: Endpoint, receiver: Receiver
) -> None:
    some = register(receiver.url, kinds=["message.read"])
    message = send(as_user, alice, bob)
    assert as_user(bob).put(f"/messages/{message['id']}/read").status_code in {200, 204}

    assert [body["type"] for body in bodies(endpoint=some)] == ["message.read"]
    everything = bodies(endpoint=endpoint)
    assert [body["type"] for body in everything] == ["message.created", "message.read"]
    assert everything[1]["data"]["reader_id"] == bob.pk
    ids = Delivery.objects.filter(kind="message.read").values_list("webhook_id", flat=True)
    assert len(ids) == 2


def test_a_deleted_message_is_told_by_its_ids(
    as_user: Any, alice: User, bob: User, endpoint: Endpoint
) -> None:
    message = send(as_user, alice, bob)
    assert as_user(alice).delete(f"/messages/{message['id']}").status_code in {200, 204}

    created, deleted = bodies()

    assert created["data"]["message_id"] == message["id"]
    assert deleted["type"] == "message.deleted"
    assert deleted["data"] == {
        "message_id": message["id"],
        "conversation_id": message["conversation_id"],
        "sender_id": alice.pk,
        "recipient_id": bob.pk,
    }


def test_accounts_and_reports_are_told(
    client: APIClient, as_user: Any, alice: User, superuser: User, receiver: Receiver
) -> None:
    register(receiver.url, include_content=True)
    form = {"username": "zoe", "email": "zoe@example.org", "password": "violet-tractor-42"}
    zoe = User.objects.get(pk=client.post("/auth/register", form).json()["id"])
    report = as_user(alice).post("/reports", {"title": "Help", "content": "It hurts"}).json()
    pk = zoe.pk
    disable_user(zoe, actor=superuser)
    delete_user(zoe, actor=superuser)

    told = {body["type"]: body["data"] for body in bodies()}

    assert set(told) == {"user.created", "report.created", "user.disabled", "user.deleted"}
    assert told["user.deleted"] == {"user_id": pk}
    assert told["report.created"]["report_id"] == report["id"]
    assert told["report.created"]["reporter_id"] == alice.pk
    assert told["report.created"]["report"]["title"] == "Help"


def test_each_other_kind_tells_ids_alone(
    as_user: Any, alice: User, bob: User, moderator: User, endpoint: Endpoint
) -> None:
    message = send(as_user, alice, bob)
    as_user(alice).put(f"/messages/{message['id']}", {"content": "Hi"})
    as_user(bob).put(f"/auth/conversations/{message['conversation_id']}/read")
    report = as_user(alice).post("/reports", {"title": "Help", "content": "It hurts"}).json()
    as_user(alice).put(f"/reports/{report['id']}", {"title": "Help me"})

    told = {body["type"]: body["data"] for body in bodies()}

    assert len(told) == Delivery.objects.count() == 5
    ids = {"message_id": message["id"], "conversation_id": message["conversation_id"]}
    assert told["message.updated"] == {**ids, "sender_id": alice.pk, "recipient_id": bob.pk}
    assert told["conversation.read"] == {
        "conversation_id": message["conversation_id"],
        "reader_id": bob.pk,
        "up_to_message_id": message["id"],
    }
    assert told["report.updated"] == {"report_id": report["id"], "reporter_id": alice.pk}


def test_a_user_is_shown_without_secrets(alice: User, as_user: Any, receiver: Receiver) -> None:
    register(receiver.url, include_content=True)
    assert as_user(alice).put("/auth/me", {"bio": "New here"}).status_code == 200

    (body,) = bodies()

    assert body["type"] == "user.updated"
    assert body["data"]["user"]["bio"] == "New here"
    assert "password" not in json.dumps(body)


def test_the_log_is_read_once(as_user: Any, alice: User, bob: User, endpoint: Endpoint) -> None:
    send(as_user, alice, bob)

    assert [read_log(), read_log()] == [1, 0]


def test_what_happens_before_an_endpoint_is_enabled_is_not_sent(
    as_user: Any, alice: User, bob: User, receiver: Receiver
) -> None:
    send(as_user, alice, bob)
    assert not Consumer.objects.exists()
    assert seconds_behind() == 0
    endpoint = register(receiver.url)
    assert kinds_told() == []

    disable_endpoint(endpoint, reason=BY_HAND)
    send(as_user, alice, bob)
    assert not Consumer.objects.exists()
    enable_endpoint(endpoint)
    send(as_user, alice, bob)

    assert kinds_told() == ["message.created"]


def test_the_consumer_stays_while_one_endpoint_is_enabled(endpoint: Endpoint, receiver: Receiver) -> None:
    other = register(receiver.url)

    disable_endpoint(endpoint, reason=BY_HAND)
    assert Consumer.objects.filter(pk="webhooks").exists()
    disable_endpoint(other, reason=BY_HAND)

    assert not Consumer.objects.exists()


def test_a_page_costs_the_same_however_much_is_in_it(
    as_user: Any, alice: User, endpoint: Endpoint, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        send(as_user, alice, UserFactory())

    with django_assert_max_num_queries(15):
        assert read_log() >= 10
