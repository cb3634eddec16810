"""Looking in Twilio's list for what there was no answer to."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from channels import twilio_calls
from channels.models import Delivery, Sender
from channels.services.states import STATES, apply_status, move
from channels.services.tries import (
    LOOKS,
    PATIENCE,
    digest_of,
    lock_try,
    log_step,
    note_unclear,
    write_outgoing,
)
from channels.switch import paced
from channels.twilio_calls import NotReached, Refused, Taken, Unclear

State, Notice = Delivery.State, Delivery.Notice

#: Seconds between two looks at a list that cannot be had, from, to.
LOOK_AGAIN = 30, 600
#: Seconds by which Twilio's clock may differ from ours.
CLOCKS = 60


def look_up(delivery: Delivery, sender: Sender) -> None:
    """Asks Twilio's list for what there was no answer to."""
    if delivery.asked_at is None:
        return
    if delivery.state != State.UNKNOWN:
        note_unclear(delivery, "its worker is gone")
    now = timezone.now()
    since = delivery.asked_at - timedelta(seconds=CLOCKS)
    try:
        listed = twilio_calls.list_sent(write_outgoing(delivery, sender), since=since)
    except (Refused, NotReached, Unclear) as error:
        _look_later(delivery, now, str(error))
        return
    _looked(delivery, listed, now)


@transaction.atomic
def _look_later(delivery: Delivery, now: datetime, why: str) -> None:
    row = lock_try(delivery)
    if row is None or row.asked_at is None:
        return
    log_step(delivery, "the list cannot be had", why)
    if row.asked_at < now - PATIENCE:
        move(row, State.UNKNOWN, due_at=None, error="It is not known whether Twilio took it")
        return
    least, most = map(paced, LOOK_AGAIN)
    move(row, State.UNKNOWN, due_at=now + min(max(least, (now - row.asked_at) / 4), most))


@transaction.atomic
def _looked(delivery: Delivery, listed: list[Taken], now: datetime) -> None:
    """`now` is when the list was asked for."""
    row = lock_try(delivery)
    if row is None or row.asked_at is None:
        return
    known = set(Delivery.objects.filter(sid__in=[one.sid for one in listed]).values_list("sid", flat=True))
    is_template = row.notice == Notice.TEMPLATE
    found = [one for one in listed if one.sid not in known]
    found = [one for one in found if is_template or digest_of(one.body) == row.asked_digest]
    if found:
        # The oldest: another with the same text would be one that went out after it.
        taken = found[-1]
        apply_status(row, sid=taken.sid, state=STATES.get(taken.status, State.ACCEPTED), code=taken.code)
        log_step(delivery, "found", taken.sid)
        return
    later = [row.asked_at + paced(seconds) for seconds in LOOKS if row.asked_at + paced(seconds) > now]
    if later:
        move(row, State.UNKNOWN, due_at=later[0])
    else:
        log_step(delivery, "not found", "it is sent again")
        move(row, State.UNKNOWN, asked_at=None, due_at=now)
