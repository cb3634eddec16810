"""Looks up in Twilio's list of messages whether a request without an answer got through."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from channels import twilio_calls
from channels.models import Delivery, Sender
from channels.services.states import STATES, apply_status, set_state
from channels.services.tries import (
    LOOKS,
    PATIENCE,
    digest_of,
    lock_try,
    log_step,
    set_unknown,
    write_outgoing,
)
from channels.switch import paced
from channels.twilio_calls import NotReached, Refused, TwilioMessage, Unclear

State, Notice = Delivery.State, Delivery.Notice

#: The shortest and longest pause in seconds before the list is asked again after it could not be read.
LOOK_AGAIN = 30, 600
#: Seconds by which Twilio's clock may differ from ours.
CLOCK_SKEW = 60


def look_up(delivery: Delivery, sender: Sender) -> None:
    if delivery.asked_at is None:
        return
    if delivery.state != State.UNKNOWN:
        set_unknown(delivery, "its worker is gone")
    now = timezone.now()
    since = delivery.asked_at - timedelta(seconds=CLOCK_SKEW)
    try:
        listed = twilio_calls.list_sent(write_outgoing(delivery, sender), since=since)
    except (Refused, NotReached, Unclear) as error:
        _look_up_later(delivery, now, str(error))
        return
    _apply_list(delivery, listed, now)


@transaction.atomic
def _look_up_later(delivery: Delivery, now: datetime, why: str) -> None:
    row = lock_try(delivery)
    if row is None or row.asked_at is None:
        return
    log_step(delivery, "the list cannot be had", why)
    if row.asked_at < now - PATIENCE:
        set_state(row, State.UNKNOWN, due_at=None, error="It is not known whether Twilio took it")
        return
    shortest, longest = map(paced, LOOK_AGAIN)
    pause = min(max(shortest, (now - row.asked_at) / 4), longest)
    set_state(row, State.UNKNOWN, due_at=now + pause)


@transaction.atomic
def _apply_list(delivery: Delivery, listed: list[TwilioMessage], now: datetime) -> None:
    row = lock_try(delivery)
    if row is None or row.asked_at is None:
        return
    known = set(Delivery.objects.filter(sid__in=[one.sid for one in listed]).values_list("sid", flat=True))
    is_template = row.notice == Notice.TEMPLATE
    found = [one for one in listed if one.sid not in known]
    found = [one for one in found if is_template or digest_of(one.body) == row.asked_digest]
    if found:
        # The oldest one: a newer one with the same text belongs to a delivery that was sent after this.
        oldest = found[-1]
        apply_status(row, sid=oldest.sid, state=STATES.get(oldest.status, State.ACCEPTED), code=oldest.code)
        log_step(delivery, "found", oldest.sid)
        return
    later = [row.asked_at + paced(seconds) for seconds in LOOKS if row.asked_at + paced(seconds) > now]
    if later:
        set_state(row, State.UNKNOWN, due_at=later[0])
    else:
        log_step(delivery, "not found", "it is sent again")
        set_state(row, State.UNKNOWN, asked_at=None, due_at=now)
