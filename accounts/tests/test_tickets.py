"""Tickets for event streams: one stream, one minute, one live session."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Session, StreamTicket, User
from accounts.tickets import redeem_ticket
from aimessage.api.problems import Unauthenticated
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient


def ticket_of(client: Any) -> str:
    answer = client.post("/events/ticket")
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 60)
    return str(answer.json()["ticket"])


def test_it_opens_a_stream_of_its_session_once(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    ticket = ticket_of(client)
    assert ticket not in str(list(StreamTicket.objects.values()))

    assert redeem_ticket(ticket) == client.session_row
    with pytest.raises(Unauthenticated):
        redeem_ticket(ticket)


@pytest.mark.parametrize(("seconds", "is_good"), [(59, True), (61, False)])
def test_it_is_good_for_a_minute(
    as_user: ApiClient, alice: User, time_machine: Any, seconds: int, is_good: bool
) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    ticket = ticket_of(as_user(alice))
    time_machine.shift(timedelta(seconds=seconds))

    if is_good:
        redeem_ticket(ticket)
    else:
        with pytest.raises(Unauthenticated):
            redeem_ticket(ticket)


@pytest.mark.parametrize("end", ["logout", "expired", "disabled", "used by nobody"])
def test_it_is_of_no_use_once_its_session_has_ended(
    client: APIClient, as_user: ApiClient, alice: User, end: str
) -> None:
    ticket = ticket_of(as_user(alice))
    if end == "logout":
        as_user(alice).post("/auth/logout-all")
    elif end == "expired":
        Session.objects.update(expires_at=timezone.now())
    elif end == "disabled":
        User.objects.update(is_active=False)
    else:
        ticket = ticket[:-1] + ("A" if ticket[-1] != "A" else "B")

    answer = client.get("/events/stream", {"ticket": ticket}, headers={"Accept": "text/event-stream"})

    assert_problem(answer, 401, "Ticket is invalid or expired", code="invalid_token")
