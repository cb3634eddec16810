"""Sends that Twilio took or did not take: nobody knows."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from channels.models import Delivery
from channels.services import lookups, sending
from channels.tests.carrying import OURS, PHONE, carry, carry_on, link, reply, text_in
from channels.tests.credentials import ACCOUNT
from channels.tests.sending import now_is, report
from channels.tests.twilio_stub import Step, TwilioStub


def test_a_hang_and_then_the_report(
    due: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, time_machine: Any
) -> None:
    """D1 A37."""
    monkeypatch.setattr("channels.twilio_calls.READ_SECONDS", 0.3)
    twilio.steps.append(Step(hang=True))

    carry()
    assert now_is(due) == "unknown"
    report(twilio.messages[0], "sent")
    carry_on(time_machine)

    assert now_is(due) == "sent"
    assert due.sid == twilio.messages[0].sid
    assert len(twilio.asked) == 1


@pytest.mark.parametrize("step", [Step(drop="after"), Step(504, take=True), Step(text="<html>")], ids=repr)
def test_what_twilio_took_is_found_in_its_list(
    due: Delivery, twilio: TwilioStub, step: Step, time_machine: Any
) -> None:
    """D1 A38."""
    if step.status == 504:
        twilio.take(ACCOUNT, {"To": PHONE, "From": OURS, "Body": "An answer"})
    twilio.steps.append(step)

    carry()
    assert now_is(due) == "unknown"
    carry_on(time_machine)

    assert now_is(due) == "accepted"
    assert due.sid == twilio.messages[0].sid
    assert len(twilio.asked) == 1


def test_what_twilio_did_not_take_is_sent_again_once_its_list_says_so(
    due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    twilio.steps.append(Step(drop="before"))
    begun = timezone.now()

    carry_on(time_machine)

    assert now_is(due) == "accepted"
    assert len(twilio.asked) == 2
    assert len(twilio.messages) == 1
    assert timezone.now() - begun >= timedelta(seconds=90)
    assert len(twilio.lists) == 3


def test_a_list_that_shows_it_late_is_asked_again(
    due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    twilio.lists_new = False
    twilio.steps.append(Step(drop="after"))
    carry()
    due.refresh_from_db()
    time_machine.move_to(due.due_at, tick=False)
    carry()
    assert len(twilio.lists) == 1
    twilio.show_all()

    carry_on(time_machine)

    assert now_is(due) == "accepted"
    assert len(twilio.asked) == 1


def test_without_the_list_nothing_is_sent_again(due: Delivery, twilio: TwilioStub, time_machine: Any) -> None:
    twilio.steps.append(Step(drop="before"))
    twilio.list_steps.extend([Step(503)] * 20)

    carry_on(time_machine, within=timedelta(minutes=5))
    assert now_is(due) == "unknown"
    assert len(twilio.asked) == 1

    twilio.list_steps.clear()
    carry_on(time_machine)
    assert now_is(due) == "accepted"
    assert len(twilio.messages) == 1


def test_what_stays_unclear_for_a_day_is_left_and_holds_up_nothing(
    desk: User,
    alice: User,
    due: Delivery,
    twilio: TwilioStub,
    time_machine: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (sending, lookups):
        monkeypatch.setattr(module, "PATIENCE", timedelta(hours=2))
    twilio.steps.append(Step(drop="before"))
    twilio.list_steps.extend([Step(503)] * 3000)
    [behind] = reply(desk, alice, "Behind it")

    carry_on(time_machine, within=timedelta(hours=1))
    assert now_is(behind) == "pending"
    carry_on(time_machine)

    assert now_is(due) == "unknown"
    assert due.due_at is None
    assert "not known" in due.error
    assert len(twilio.asked) == 1


def test_another_message_with_the_same_text_is_not_taken_for_it(
    desk: User, alice: User, due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    carry()
    twilio.steps.append(Step(drop="before"))
    [again] = reply(desk, alice)

    carry_on(time_machine)

    assert now_is(again) == "accepted"
    assert again.sid != due.sid
    assert len(twilio.messages) == 2


def test_messages_to_one_address_leave_in_their_order(
    desk: User, alice: User, bob: User, due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    link(bob, "+14155550177")
    text_in("Hi", sender="+14155550177")
    reply(desk, alice, "Second")
    reply(desk, bob, "Another's")
    twilio.steps.extend([Step(503), Step(), Step(drop="before")])

    carry()
    assert twilio.bodies() == ["Another's"]
    carry_on(time_machine)

    assert twilio.bodies(PHONE) == ["An answer", "Second"]
