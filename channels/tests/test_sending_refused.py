"""Sends that Twilio refuses, for now or for good. D1 A34 to A42, A45 of what goes out."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from channels.models import Address, Delivery
from channels.services import sending
from channels.tests.carrying import PHONE, carry, carry_on, link, reply, text_in
from channels.tests.sending import now_is
from channels.tests.twilio_stub import Step, TwilioStub


@pytest.mark.parametrize("code", [21211, 21614, 21612, 99999])
def test_a_refusal_for_good_is_final(due: Delivery, twilio: TwilioStub, code: int, time_machine: Any) -> None:
    """D1 A35."""
    twilio.otherwise = Step(400, code)

    carry_on(time_machine)

    assert now_is(due) == "failed"
    assert due.error_code == code
    assert due.error
    assert PHONE not in due.error
    assert len(twilio.asked) == 1


def test_21610_is_an_opt_out(desk: User, due: Delivery, alice: User, twilio: TwilioStub) -> None:
    """D1 A34."""
    twilio.otherwise = Step(400, 21610)

    carry()
    [next_one] = reply(desk, alice)
    carry()

    assert (now_is(due), due.error_code) == ("failed", 21610)
    assert Address.objects.get().opted_out_at is not None
    assert next_one.state == "skipped"
    assert len(twilio.asked) == 1


def test_the_rest_of_a_message_goes_with_its_beginning(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    reply(desk, alice, "word " * 900)
    twilio.steps.append(Step(400, 21614))

    carry()

    assert len(twilio.asked) == 1
    assert set(Delivery.objects.values_list("state", "error_code")) == {("failed", 21614)}


def test_what_may_succeed_later_is_tried_again(due: Delivery, twilio: TwilioStub, time_machine: Any) -> None:
    """D1 A36."""
    time_machine.move_to(timezone.now(), tick=False)
    twilio.steps.extend([Step(500), Step(503), Step(429, 20429, headers={"Retry-After": "100"})])
    times = []
    for _ in range(4):
        times.append(timezone.now())
        carry()
        due.refresh_from_db()
        if due.due_at:
            time_machine.move_to(due.due_at, tick=False)

    assert now_is(due) == "accepted"
    assert (due.error_code, due.error) == (None, "")
    assert len(twilio.asked) == 4
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    for wait, least in zip(waits, [2, 8, 100], strict=True):
        assert least <= wait <= least * 1.21


def test_pauses_grow_to_ten_minutes(due: Delivery, twilio: TwilioStub, time_machine: Any) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    twilio.otherwise = Step(503)
    for least in (2, 8, 30, 120, 600, 600, 600):
        carry()
        due.refresh_from_db()
        wait = (due.due_at - timezone.now()).total_seconds()
        assert least <= wait <= least * 1.21
        time_machine.move_to(due.due_at, tick=False)

    assert len(twilio.asked) == 7


def test_tries_have_an_end(
    due: Delivery, twilio: TwilioStub, time_machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(days=1) == sending.PATIENCE
    monkeypatch.setattr(sending, "PATIENCE", timedelta(hours=2))
    twilio.otherwise = Step(500)
    begun = timezone.now()

    carry_on(time_machine, within=timedelta(days=3))

    assert now_is(due) == "failed"
    assert timedelta(hours=2) < timezone.now() - begun < timedelta(hours=2.4)
    assert 12 < len(twilio.asked) < 20


def test_twilio_may_be_unreachable(
    due: Delivery, twilio: TwilioStub, twilio_with: Any, time_machine: Any
) -> None:
    twilio_with(url="http://127.0.0.1:1")
    carry()
    assert now_is(due) == "sending"
    twilio_with(url=twilio.url)

    carry_on(time_machine)

    assert now_is(due) == "accepted"
    assert len(twilio.asked) == 1
