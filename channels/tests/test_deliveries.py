"""What goes out by a channel, and what does not. D1 A01, A20, A31, A41, A50 of what goes out."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from channels.models import Address, Delivery, Thread
from channels.tests.carrying import OURS, PHONE, carry, deliveries_of, link, reply, text_in
from channels.tests.credentials import ACCOUNT
from channels.tests.twilio_stub import TwilioStub
from conftest import ApiClient
from messaging.models import Message
from messaging.services.messages import send_message

WHATSAPP, OUR_WHATSAPP = f"whatsapp:{PHONE}", f"whatsapp:{OURS}"


def test_the_answer_to_an_sms_leaves_as_an_sms(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")

    [delivery] = reply(desk, alice, "Good morning")
    carry()

    assert [(one.to, one.body) for one in twilio.messages] == [(PHONE, "Good morning")]
    [(_, fields)] = twilio.asked
    assert fields["From"] == OURS
    assert fields["StatusCallback"].startswith("http://localhost:8000/twilio_webhook/status?d=")
    assert "MessagingServiceSid" not in fields
    assert twilio.messages[0].account == ACCOUNT
    delivery.refresh_from_db()
    assert (delivery.state, delivery.sid) == ("accepted", twilio.messages[0].sid)


def test_the_answer_to_a_whatsapp_message_leaves_by_whatsapp(
    desk: User, alice: User, twilio: TwilioStub
) -> None:
    link(alice, WHATSAPP)
    text_in("Hello", sender=WHATSAPP, to=OUR_WHATSAPP)

    reply(desk, alice)
    carry()

    [(_, fields)] = twilio.asked
    assert (fields["To"], fields["From"]) == (WHATSAPP, OUR_WHATSAPP)


def test_the_answer_goes_through_the_pool_and_from_the_number_that_was_written_to(
    desk: User, alice: User, twilio: TwilioStub
) -> None:
    """D1 A09, A10."""
    link(alice)
    text_in("Hello", to="+15005559999", MessagingServiceSid="MG" + "7" * 32)

    reply(desk, alice)
    carry()

    [(_, fields)] = twilio.asked
    assert (fields["From"], fields["MessagingServiceSid"]) == ("+15005559999", "MG" + "7" * 32)


def test_the_answer_to_what_was_written_in_the_app_stays_there(
    desk: User, alice: User, twilio: TwilioStub
) -> None:
    link(alice)
    text_in("By SMS")
    send_message(alice, content="By the app", recipient_id=desk.pk)

    assert reply(desk, alice) == []

    text_in("By SMS again")
    assert len(reply(desk, alice)) == 1


def test_only_the_conversation_with_the_inbox_goes_out(
    desk: User, alice: User, bob: User, twilio: TwilioStub
) -> None:
    link(alice)
    text_in("Hello")

    assert reply(bob, alice) == []
    message, _ = send_message(desk, content="Elsewhere", recipient_id=alice.pk, conversation_id="project")
    assert deliveries_of(message) == []


def test_what_alice_writes_does_not_go_to_herself(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    carry()

    assert twilio.asked == []
    assert not Delivery.objects.exists()


def test_to_a_contact_everything_goes(desk: User, twilio: TwilioStub, twilio_with: Any) -> None:
    twilio_with(unknown="contact")
    text_in("Hello")
    contact = User.objects.get(kind="contact")

    reply(desk, contact, "One")
    reply(desk, contact, "Two")
    carry()

    assert twilio.bodies() == ["One", "Two"]


def test_nobody_else_writes_to_a_contact(
    desk: User, alice: User, as_user: ApiClient, twilio: TwilioStub, twilio_with: Any
) -> None:
    """D1 A26."""
    twilio_with(unknown="contact")
    text_in("Hello")
    contact = User.objects.get(kind="contact")

    answer = as_user(alice).post("/messages", {"recipient_id": contact.pk, "content": "Hi"})

    assert answer.status_code == 404


def test_a_long_answer_leaves_in_parts_in_their_order(desk: User, alice: User, twilio: TwilioStub) -> None:
    """D1 A41."""
    link(alice)
    text_in("Hello")
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    text = (f"Some words with a family {family}. " * 200)[:4000].strip()

    made = reply(desk, alice, text)
    carry()

    assert len(made) == 3
    assert "".join(twilio.bodies()) == text
    assert all(len(body) <= 1500 for body in twilio.bodies())

    reply(desk, alice, "word " * 4000)
    carry()

    assert len(twilio.messages) == 3 + 4
    assert twilio.bodies()[-1].endswith("… (continues in the app)")


def test_after_a_stop_nothing_is_sent(desk: User, alice: User, twilio: TwilioStub) -> None:
    """D1 A31, A32."""
    link(alice)
    text_in("Hello")
    [late] = reply(desk, alice)
    text_in("STOP")

    carry()
    [after] = reply(desk, alice)

    late.refresh_from_db()
    assert (late.state, after.state) == ("skipped", "skipped")
    assert twilio.asked == []
    assert Message.objects.filter(sender=desk).count() == 2

    text_in("START")
    reply(desk, alice, "Again")
    carry()
    assert twilio.bodies() == ["Again"]


def test_a_contact_who_said_stop_cannot_be_written_to(
    desk: User, as_user: ApiClient, twilio: TwilioStub, twilio_with: Any
) -> None:
    twilio_with(unknown="contact")
    text_in("Hello")
    text_in("STOP")
    contact = User.objects.get(kind="contact")

    answer = as_user(desk).post("/messages", {"recipient_id": contact.pk, "content": "Hi"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "opted_out"
    assert answer.json()["detail"] == "This contact does not want messages"
    assert not Message.objects.filter(sender=desk).exists()


@pytest.fixture
def silent_contact(desk: User, twilio_with: Any) -> User:
    """Last wrote by WhatsApp 25 hours ago."""
    twilio_with(unknown="contact")
    text_in("Hello", sender=WHATSAPP, to=OUR_WHATSAPP)
    Thread.objects.update(last_inbound_at=timezone.now() - timedelta(hours=25))
    return User.objects.get(kind="contact")


def test_outside_of_the_window_a_contact_cannot_be_written_to(
    desk: User, silent_contact: User, as_user: ApiClient, twilio: TwilioStub
) -> None:
    """D1 A40."""
    answer = as_user(desk).post("/messages", {"recipient_id": silent_contact.pk, "content": "Hi"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "window_closed"
    assert answer.json()["detail"] == "The WhatsApp window of this contact is closed"
    assert not Message.objects.filter(sender=desk).exists()
    Thread.objects.update(last_inbound_at=timezone.now() - timedelta(hours=23))
    answer = as_user(desk).post("/messages", {"recipient_id": silent_contact.pk, "content": "Hi"})
    assert answer.status_code == 201


def test_with_a_template_the_text_waits_until_the_contact_writes(
    desk: User, silent_contact: User, as_user: ApiClient, twilio: TwilioStub, twilio_with: Any
) -> None:
    twilio_with(template="HX" + "8" * 32)
    client = as_user(desk)
    for text in ("One", "Two"):
        answer = client.post("/messages", {"recipient_id": silent_contact.pk, "content": text})
        assert answer.status_code == 201
    carry()
    carry()

    assert [fields.get("ContentSid") for _, fields in twilio.asked] == ["HX" + "8" * 32]
    assert set(Delivery.objects.exclude(notice="template").values_list("state", flat=True)) == {"held"}

    text_in("Yes?", sender=WHATSAPP, to=OUR_WHATSAPP)
    reply(desk, silent_contact, "Three")
    carry()

    assert twilio.bodies() == ["", "One", "Two", "Three"]
    assert set(Delivery.objects.values_list("state", "error")) == {("accepted", "")}

    Thread.objects.update(last_inbound_at=timezone.now() - timedelta(hours=25))
    Delivery.objects.update(created_at=timezone.now() - timedelta(hours=25, minutes=1))
    reply(desk, silent_contact, "Four")
    carry()
    assert [fields.get("ContentSid") for _, fields in twilio.asked][-1] == "HX" + "8" * 32
    assert len(twilio.asked) == 5


def test_sms_has_no_window(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    Thread.objects.update(last_inbound_at=timezone.now() - timedelta(days=30))

    reply(desk, alice)
    carry()

    assert len(twilio.messages) == 1


def test_a_linked_user_outside_of_the_window_is_written_to_in_the_app_alone(
    desk: User, alice: User, twilio: TwilioStub
) -> None:
    link(alice, WHATSAPP)
    text_in("Hello", sender=WHATSAPP, to=OUR_WHATSAPP)
    Thread.objects.update(last_inbound_at=timezone.now() - timedelta(hours=25))

    [delivery] = reply(desk, alice)
    carry()

    assert (delivery.state, delivery.error_code) == ("failed", 63016)
    assert twilio.asked == []


@pytest.mark.parametrize("why", ["deleted", "unlinked", "removed"])
def test_what_nobody_is_to_get_any_more_is_not_sent(
    desk: User, alice: User, twilio: TwilioStub, why: str
) -> None:
    address = link(alice)
    text_in("Hello")
    [delivery] = reply(desk, alice)
    if why == "deleted":
        Message.objects.filter(sender=desk).delete()
    elif why == "unlinked":
        Address.objects.filter(pk=address.pk).update(user=None, linked_at=None)
    else:
        Message.objects.filter(sender=desk).update(deleted_by_recipient=True)

    carry()

    assert twilio.asked == []
    assert not Delivery.objects.filter(pk=delivery.pk).exclude(state="skipped").exists()


def test_what_is_edited_before_it_leaves_leaves_as_edited(
    desk: User, alice: User, as_user: ApiClient, twilio: TwilioStub
) -> None:
    link(alice)
    text_in("Hello")
    [delivery] = reply(desk, alice, "Frist")

    as_user(desk).put(f"/messages/{delivery.message_id}", {"content": "First"})
    carry()

    assert twilio.bodies() == ["First"]


def test_between_two_people_nothing_is_asked_where_twilio_is_off(
    alice: User, bob: User, settings: Settings, django_assert_num_queries: Any
) -> None:
    settings.TWILIO = None
    send_message(alice, content="First", recipient_id=bob.pk)

    with django_assert_num_queries(6) as queries:
        send_message(alice, content="Second", recipient_id=bob.pk)

    assert not any("channels_" in query["sql"] for query in queries.captured_queries)
