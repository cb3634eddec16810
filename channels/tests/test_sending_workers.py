"""Sends that a worker did not finish."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from aimessage.jobs.running import run_due
from channels.jobs import dispatch
from channels.models import Delivery, Sender
from channels.services import sending
from channels.tests.carrying import carry, carry_on, link, reply, text_in
from channels.tests.sending import now_is
from channels.tests.twilio_stub import TwilioStub
from channels.twilio_calls import TwilioMessage


def test_a_worker_that_dies_before_the_request_leaves_it_to_the_list(
    due: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, time_machine: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sending.twilio_calls, "send", _die)
        with pytest.raises(SystemError):
            sending.take_step(due, Sender.objects.get())
    assert now_is(due) == "sending"
    carry()
    assert twilio.asked == twilio.lists == []

    carry_on(time_machine)

    assert now_is(due) == "accepted"
    assert len(twilio.messages) == 1
    assert len(twilio.lists) >= 2


def test_a_worker_that_dies_after_the_request_doubles_nothing(
    due: Delivery, twilio: TwilioStub, monkeypatch: pytest.MonkeyPatch, time_machine: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sending, "_accept", _die)
        with pytest.raises(SystemError):
            sending.take_step(due, Sender.objects.get())
    assert len(twilio.messages) == 1

    carry_on(time_machine)

    assert now_is(due) == "accepted"
    assert due.sid == twilio.messages[0].sid
    assert len(twilio.asked) == 1


def _die(*args: Any) -> TwilioMessage:
    raise SystemError("killed")


def test_the_step_of_a_worker_that_was_too_slow_writes_nothing(
    due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    sender = Sender.objects.get()
    as_it_was = Delivery.objects.get(pk=due.pk)
    carry()

    sending.take_step(as_it_was, sender)

    assert len(twilio.asked) == 1
    assert now_is(due) == "accepted"


def test_a_turn_that_was_given_away_sends_nothing(due: Delivery, twilio: TwilioStub) -> None:
    assert dispatch() == 1
    Sender.objects.update(turn=99)

    run_due("channels")

    assert twilio.asked == []


def test_a_turn_whose_job_was_lost_is_given_again(
    due: Delivery, twilio: TwilioStub, time_machine: Any
) -> None:
    from aimessage.jobs.models import Job

    time_machine.move_to(timezone.now(), tick=False)
    assert dispatch() == 1
    Job.objects.all().delete()
    assert dispatch() == 0

    time_machine.move_to(timezone.now() + timedelta(seconds=61), tick=False)
    carry()

    assert now_is(due) == "accepted"


def test_a_fault_of_ours_holds_up_nobody_else(
    desk: User,
    alice: User,
    bob: User,
    due: Delivery,
    twilio: TwilioStub,
    monkeypatch: pytest.MonkeyPatch,
    time_machine: Any,
) -> None:
    link(bob, "+14155550177")
    text_in("Hi", sender="+14155550177")
    reply(desk, bob, "Another's")

    def break_down(row: Delivery) -> str:
        if row.pk == due.pk:
            raise ValueError("it broke")
        return "Another's"

    with monkeypatch.context() as patched:
        patched.setattr(sending, "text_of", break_down)
        carry()
    assert twilio.bodies() == ["Another's"]

    carry_on(time_machine)
    assert twilio.bodies() == ["Another's", "An answer"]
