"""Whatever Twilio reports, in whatever order and however often, states only go up; and of workers that are
quick at the same time one sends."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from channels.models import Delivery, Sender
from channels.services.sending import take_step
from channels.services.states import RANKS, STATES, apply_report
from channels.tests.carrying import carry, link, reply, text_in
from channels.tests.twilio_stub import TwilioStub

STATUSES = [*STATES, "receiving", "nonsense"]
CODES = [None, 30003, 30006, 30007, 63016, 99999]


@pytest.mark.django_db
def test_states_only_go_up_whatever_is_reported(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    [delivery] = reply(desk, alice)
    carry()
    accepted = Delivery.objects.values().get()
    [message] = twilio.messages

    @settings(deadline=None, max_examples=60, database=None)
    @given(st.lists(st.tuples(st.sampled_from(STATUSES), st.sampled_from(CODES)), max_size=8))
    def play(reports: list[tuple[str, int | None]]) -> None:
        Delivery.objects.filter(pk=delivery.pk).update(**accepted)
        state = "accepted"
        for status, code in reports:
            apply_report(message.report(status, code), delivery="")
            row = Delivery.objects.get()
            assert RANKS[Delivery.State(row.state)] >= RANKS[Delivery.State(state)]
            assert (row.error != "") == (row.state == "failed")
            assert row.sid == message.sid
            assert row.due_at is row.asked_at is None
            state = row.state
        said = [STATES[status] for status, _ in reports if status in STATES]
        assert state == max(["accepted", *said], key=lambda one: _order(one, said))

    play()


def _order(state: str, said: list[Any]) -> tuple[int, int]:
    """By rank; of delivered and failed, what came last."""
    last = len(said) - 1 - said[::-1].index(state) if state in said else -1
    return RANKS[Delivery.State(state)], last


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_workers_that_take_the_same_step_one_sends(desk: User, alice: User, twilio: TwilioStub) -> None:
    link(alice)
    text_in("Hello")
    reply(desk, alice)
    delivery, sender = Delivery.objects.get(), Sender.objects.get()
    barrier = Barrier(8)

    def work(number: int) -> None:
        mine = Delivery.objects.get(pk=delivery.pk)
        barrier.wait(30)
        take_step(mine, sender)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert len(twilio.asked) == 1
    assert Delivery.objects.get().state == "accepted"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_reports_at_the_same_time_end_in_the_highest_state(
    desk: User, alice: User, twilio: TwilioStub
) -> None:
    link(alice)
    text_in("Hello")
    reply(desk, alice)
    carry()
    [message] = twilio.messages
    statuses = ["queued", "sent", "delivered", "read"] * 2
    barrier = Barrier(len(statuses))

    def tell(status: str) -> None:
        barrier.wait(30)
        apply_report(message.report(status), delivery="")
        connection.close()

    with ThreadPoolExecutor(len(statuses)) as pool:
        list(pool.map(tell, statuses))

    assert Delivery.objects.get().state == "read"
