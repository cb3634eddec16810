"""GET /messages/{id}/delivery, and the event message.delivery."""

from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from channels.models import Delivery
from channels.services.states import apply_report
from channels.tests.carrying import carry, link, reply, text_in
from channels.tests.twilio_stub import Step, TwilioStub
from conftest import ApiClient
from messaging.services.messages import send_message


def delivery_of(client: Any, message_id: object) -> Any:
    return client.get(f"/messages/{message_id}/delivery")


@pytest.fixture
def delivery(desk: User, alice: User, twilio: TwilioStub) -> Delivery:
    link(alice)
    text_in("Hello")
    [delivery] = reply(desk, alice)
    return delivery


def test_both_sides_see_how_a_message_fares(
    desk: User, alice: User, as_user: ApiClient, delivery: Delivery, twilio: TwilioStub
) -> None:
    [pending] = delivery_of(as_user(desk), delivery.message_id).json()
    assert pending["state"] == "pending"
    carry()
    [message] = twilio.messages
    apply_report(message.report("delivered"), delivery=message.callback.partition("?d=")[2])

    for user in (desk, alice):
        answer = delivery_of(as_user(user), delivery.message_id)
        assert answer.status_code == 200
        delivery.refresh_from_db()
        [shown] = answer.json()
        assert shown == {
            "part": 1,
            "parts": 1,
            "channel": "sms",
            "state": "delivered",
            "error_code": None,
            "error": None,
            "updated_at": delivery.updated_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }


def test_a_failure_says_why_and_not_to_which_number(
    desk: User, as_user: ApiClient, delivery: Delivery, twilio: TwilioStub
) -> None:
    twilio.steps.append(Step(400, 21614))
    carry()

    [shown] = delivery_of(as_user(desk), delivery.message_id).json()

    assert (shown["state"], shown["error_code"]) == ("failed", 21614)
    assert shown["error"] == "This number cannot receive messages"


def test_the_parts_are_in_their_order(
    desk: User, alice: User, as_user: ApiClient, delivery: Delivery, twilio: TwilioStub
) -> None:
    made = reply(desk, alice, "word " * 900)

    shown = delivery_of(as_user(desk), made[0].message_id).json()

    assert [(one["part"], one["parts"]) for one in shown] == [(1, 3), (2, 3), (3, 3)]


def test_a_message_that_stayed_in_the_app_has_none(
    alice: User, bob: User, as_user: ApiClient, twilio: TwilioStub
) -> None:
    message, _ = send_message(alice, content="Hi", recipient_id=bob.pk)

    answer = delivery_of(as_user(alice), message.pk)

    assert (answer.status_code, answer.json()) == (200, [])


def test_others_see_nothing_of_it(bob: User, superuser: User, as_user: ApiClient, delivery: Delivery) -> None:
    for user in (bob, superuser):
        for message_id in (delivery.message_id, 999999, 0, -1, "abc", "9" * 30):
            answer = delivery_of(as_user(user), message_id)
            assert answer.status_code == 404
            assert answer.json()["detail"] == "Message not found"


def test_where_twilio_is_off_there_is_no_such_path(
    desk: User, as_user: ApiClient, delivery: Delivery, settings: Settings
) -> None:
    """D1 A49."""
    settings.TWILIO = None

    assert delivery_of(as_user(desk), delivery.message_id).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_each_change_is_an_event_of_both(
    desk: User, alice: User, bob: User, as_user: ApiClient, delivery: Delivery, twilio: TwilioStub
) -> None:
    clients = {user.username: as_user(user) for user in (desk, alice, bob)}
    cursors = {name: client.get("/events").json()["cursor"] for name, client in clients.items()}
    carry()
    [message] = twilio.messages
    for status in ("sent", "queued", "delivered", "delivered"):
        apply_report(message.report(status), delivery="")

    for name, client in clients.items():
        events = client.get("/events", {"after": cursors[name]}).json()["events"]
        seen = [event["data"] for event in events if event["type"] == "message.delivery"]
        expected = [] if name == "bob" else ["sending", "accepted", "sent", "delivered"]
        assert [one["state"] for one in seen] == expected
        assert all(one["message_id"] == delivery.message_id for one in seen)
        assert all(one["error_code"] is None for one in seen)


@pytest.mark.django_db(transaction=True)
def test_an_event_about_a_message_that_one_cannot_see_any_more_is_left_out(
    alice: User, as_user: ApiClient, delivery: Delivery, twilio: TwilioStub
) -> None:
    client = as_user(alice)
    cursor = client.get("/events").json()["cursor"]
    carry()
    client.delete(f"/messages/{delivery.message_id}")

    events = client.get("/events", {"after": cursor}).json()["events"]

    assert [event["type"] for event in events] == ["message.deleted"]


def test_the_number_of_queries_does_not_grow(
    desk: User, alice: User, as_user: ApiClient, delivery: Delivery, django_assert_num_queries: Any
) -> None:
    client = as_user(desk)
    for made in ([delivery], reply(desk, alice, "word " * 900)):
        with django_assert_num_queries(3):  # session and user, message, deliveries
            delivery_of(client, made[0].message_id)
