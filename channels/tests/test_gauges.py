"""What /metrics says of channels."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from channels import gauges
from channels.models import Delivery, Receipt, Sender
from channels.tests.carrying import carry, link, reply, text_in
from channels.tests.twilio_stub import Step, TwilioStub


def some(values: gauges.Values) -> gauges.Values:
    return {labels: value for labels, value in values.items() if value}


def test_what_came_in_is_counted_by_what_became_of_it(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Long ago")
    Receipt.objects.update(received_at=timezone.now() - timedelta(hours=25))
    for body in ("Hello", "Still there?", "HELP"):
        text_in(body)
    text_in("Hello", sender="+14155550199")

    assert some(gauges.count_received()) == {("stored",): 2, ("keyword",): 1, ("unknown",): 1}
    assert set(gauges.count_received()) == {(outcome,) for outcome in Receipt.Outcome.values}


def test_what_goes_out_is_counted_by_state_and_code(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    twilio.steps.extend([Step(), Step(400, 21614), Step(400, 99999), Step(400, 30007)])
    for number in range(4):
        reply(desk, alice, f"{number}")
    carry()
    reply(desk, alice, "Not yet")
    Delivery.objects.filter(state="pending").update(due_at="2026-01-02T03:04:05Z")

    codes = {("failed", "21614"): 1, ("failed", "other"): 1, ("failed", "30007"): 1}
    assert some(gauges.count_deliveries()) == {("accepted", ""): 1, ("pending", ""): 1, **codes}
    assert gauges.count_filtered() == {(): 1}
    assert gauges.find_oldest_due() == {(): 1767323045}
    carry()
    assert gauges.find_oldest_due() == {}


def test_paused_numbers_are_counted(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    assert gauges.count_paused() == {(): 0}
    twilio.steps.append(Step(401, 20003))
    reply(desk, alice)
    carry()

    assert gauges.count_paused() == {(): 1}
    assert Sender.objects.get().paused_reason


@pytest.mark.django_db
def test_where_twilio_is_off_there_is_nothing_to_count(settings: Settings) -> None:
    settings.TWILIO = None

    for count in (gauges.count_received, gauges.count_deliveries, gauges.count_paused, gauges.count_filtered):
        assert count() == {}
