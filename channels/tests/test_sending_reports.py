"""What Twilio reports of a send afterwards."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from channels.models import Address, Delivery
from channels.services import sending
from channels.services.states import apply_report
from channels.tests.carrying import OURS, PHONE, carry, carry_on, link, reply, text_in
from channels.tests.sending import now_is, report
from channels.tests.twilio_stub import Step, TwilioStub
from channels.twilio_calls import TwilioMessage


def test_states_only_go_up(due: Delivery, twilio: TwilioStub) -> None:
    """D1 A39."""
    carry()
    [message] = twilio.messages

    seen = []
    for status in ("sending", "delivered", "sent", "queued", "read", "delivered", "failed"):
        report(message, status)
        seen.append(now_is(due))

    assert seen == ["accepted", "delivered", "delivered", "delivered", "read", "read", "read"]


def test_what_came_last_of_delivered_and_failed_stands(due: Delivery, twilio: TwilioStub) -> None:
    carry()
    [message] = twilio.messages

    report(message, "delivered")
    report(message, "undelivered", 30006)
    assert (now_is(due), due.error_code) == ("failed", 30006)
    report(message, "delivered")
    assert (now_is(due), due.error_code, due.error) == ("delivered", None, "")


@pytest.mark.parametrize("code", [30006, 30007, 99999, None])
def test_a_failure_that_is_reported_is_final(
    due: Delivery, twilio: TwilioStub, code: int | None, time_machine: Any
) -> None:
    """D1 A35."""
    carry()

    report(twilio.messages[0], "undelivered", code)
    carry_on(time_machine)

    assert (now_is(due), due.error_code) == ("failed", code)
    assert due.error
    assert len(twilio.asked) == 1


def test_reports_that_are_about_nothing_of_ours_change_nothing(due: Delivery, twilio: TwilioStub) -> None:
    carry()
    [message] = twilio.messages
    name = message.callback.partition("?d=")[2]
    before = Delivery.objects.values().get()

    for fields in (
        {},
        {"MessageSid": "SM1"},
        {"MessageSid": "SM" + "f" * 32, "MessageStatus": "read"},
        {"MessageSid": message.sid, "MessageStatus": "exploded"},
        {"MessageSid": "\0", "MessageStatus": "read"},
        {"MessageSid": "\udcff", "MessageStatus": "read"},
        {"MessageSid": message.sid, "MessageStatus": "queued", "ErrorCode": "9" * 40},
    ):
        apply_report(fields, delivery=name)

    assert Delivery.objects.values().get() == before


@pytest.mark.parametrize("name", ["", "1", "1.1", "1.1.", "x.1.y", "0.0.0", "99999999999999999999.1.a", "\0"])
def test_a_forged_name_is_nobodys(
    due: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    twilio.steps.append(Step(drop="after"))
    carry()

    report(twilio.messages[0], "read", name=name.replace("1", str(due.pk), 1))

    assert now_is(due) == "unknown"


def test_a_report_before_the_answer_is_no_second_one(
    due: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = sending.twilio_calls.send

    def send_and_hear(outgoing: Any) -> TwilioMessage:
        taken = send(outgoing)
        report(twilio.messages[0], "delivered")
        return taken

    monkeypatch.setattr(sending.twilio_calls, "send", send_and_hear)

    carry()

    assert now_is(due) == "delivered"
    assert due.sid == twilio.messages[0].sid


def test_a_report_on_a_try_before_the_last_names_nothing(
    due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    twilio.steps.extend([Step(drop="after"), Step(drop="after")])
    twilio.lists_new = False
    carry_on(time_machine, within=timedelta(seconds=100))
    assert len(twilio.messages) == 2
    first, second = twilio.messages

    report(first, "delivered")
    assert now_is(due) == "unknown"
    report(second, "sent")

    assert (now_is(due), due.sid) == ("sent", second.sid)


def test_63016_waits_for_the_contact_where_there_is_a_template(
    desk: User, alice: User, twilio: TwilioStub, twilio_with: Any, time_machine: Any
) -> None:
    """D1 A40."""
    twilio_with(template="HX" + "8" * 32)
    link(alice, f"whatsapp:{PHONE}")
    text_in("Hello", sender=f"whatsapp:{PHONE}", to=f"whatsapp:{OURS}")
    [due] = reply(desk, alice)
    carry()
    time_machine.move_to(timezone.now() + timedelta(minutes=2), tick=False)

    for _ in range(2):
        report(twilio.messages[0], "undelivered", 63016)
        assert (now_is(due), due.error_code) == ("held", 63016)
    assert Delivery.objects.filter(notice="template").count() == 1
    carry()
    assert now_is(due) == "held"
    text_in("Yes", sender=f"whatsapp:{PHONE}", to=f"whatsapp:{OURS}")
    carry()

    assert now_is(due) == "accepted"
    assert twilio.bodies().count("An answer") == 2
    assert due.sid == twilio.messages[-1].sid


def test_63016_is_a_failure_without_one(desk: User, alice: User, due: Delivery, twilio: TwilioStub) -> None:
    twilio.steps.append(Step(400, 63016))

    carry()

    assert (now_is(due), due.error_code) == ("failed", 63016)


def test_a_report_of_an_opt_out_is_one(due: Delivery, twilio: TwilioStub) -> None:
    carry()

    report(twilio.messages[0], "undelivered", 21610)

    assert Address.objects.get().opted_out_at is not None
