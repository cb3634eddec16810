"""What a number of ours may send: pauses, the daily limit, and notices."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from channels.codes import code_of
from channels.models import Delivery, LinkCode, Sender
from channels.services.linking import send_sms_code
from channels.tests.carrying import OURS, PHONE, carry, carry_on, link, reply, text_in
from channels.tests.credentials import ACCOUNT, TOKEN
from channels.tests.twilio_stub import Step, TwilioStub


def test_a_wrong_key_pauses_the_number_and_loses_nothing(
    desk: User, alice: User, due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    """D1 A42."""
    reply(desk, alice, "Second")
    twilio.key = (ACCOUNT, "another-key-of-the-account")

    carry()
    sender = Sender.objects.get()
    assert sender.paused_until > timezone.now() + timedelta(minutes=4)
    assert "key" in sender.paused_reason
    assert len(twilio.asked) == 1
    carry_on(time_machine, within=timedelta(hours=1))
    assert 10 <= len(twilio.asked) <= 13

    twilio.key = (ACCOUNT, TOKEN)
    carry_on(time_machine)

    assert twilio.bodies() == ["An answer", "Second"]
    sender.refresh_from_db()
    assert (sender.paused_until, sender.paused_reason) == (None, "")


def test_another_number_goes_on(
    desk: User, alice: User, bob: User, due: Delivery, twilio: TwilioStub
) -> None:
    link(bob, "+14155550177")
    text_in("Hi", sender="+14155550177", to="+15005550009")
    reply(desk, bob, "Another's")
    twilio.steps.append(Step(400, 21606))

    carry()

    assert twilio.bodies() == ["Another's"]


def test_no_more_leaves_in_a_day_than_there_may(
    desk: User, alice: User, due: Delivery, twilio: TwilioStub, twilio_with: Any, time_machine: Any
) -> None:
    twilio_with(sends_per_day=2)
    time_machine.move_to("2026-05-04T20:00:00Z", tick=False)
    Delivery.objects.update(due_at=timezone.now(), created_at=timezone.now(), updated_at=timezone.now())
    for text in ("Two", "Three", "Four"):
        reply(desk, alice, text)

    carry()
    assert twilio.bodies() == ["An answer", "Two"]
    carry_on(time_machine)

    assert twilio.bodies() == ["An answer", "Two", "Three", "Four"]
    assert timezone.now().day == 5


def test_a_code_leaves_from_our_first_number(
    alice: User, desk: User, twilio: TwilioStub, twilio_with: Any
) -> None:
    """D1 A45."""
    twilio_with(countries=frozenset({"US"}))
    send_sms_code(alice, phone_number="+12025550123")
    written = code_of(LinkCode.objects.get())

    carry()

    [message] = twilio.messages
    assert (message.to, message.fields["From"]) == ("+12025550123", OURS)
    assert message.body.startswith(f"{written} is your code")


def test_no_code_leaves_for_a_number_that_wants_nothing(
    alice: User, bob: User, desk: User, twilio: TwilioStub, twilio_with: Any
) -> None:
    twilio_with(countries=frozenset({"US"}))
    link(alice, "+12025550123")
    text_in("STOP", sender="+12025550123")
    send_sms_code(bob, phone_number="+12025550123")
    carry()

    assert (Delivery.objects.get().state, twilio.asked) == ("skipped", [])


def test_strangers_are_invited_once(twilio: TwilioStub, desk: User, twilio_with: Any) -> None:
    """D1 A25."""
    twilio_with(unknown="invite")

    for _ in range(3):
        text_in("Hello?", sender="+14155550199")
    carry()

    assert [message.to for message in twilio.messages] == ["+14155550199"]


def test_help_by_whatsapp_is_answered(alice: User, desk: User, twilio: TwilioStub) -> None:
    """D1 A33."""
    link(alice, f"whatsapp:{PHONE}")
    link(alice)
    text_in("HELP", sender=f"whatsapp:{PHONE}", to=f"whatsapp:{OURS}")
    text_in("HELP")

    carry()

    assert [message.to for message in twilio.messages] == [f"whatsapp:{PHONE}"]
