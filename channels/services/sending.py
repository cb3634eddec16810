"""One step of one delivery: it is sent, or looked for in Twilio's list where it is unclear what became of it.

Before Twilio is called the row says so, in a transaction of its own. Whoever finds it like that later, since
the worker was killed or no answer came, sends it again only once the list shows that Twilio has not got it.
"""

import logging
import random
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from aimessage.api.problems import DomainError
from aimessage.db.rate_windows import count_request
from aimessage.jobs.retries import LONGEST_WAIT
from channels import twilio_calls
from channels.masking import mask
from channels.models import Address, Delivery, Sender
from channels.outcomes import WINDOW_CLOSED, Outcome, outcome_of, sentence_of
from channels.services.lookups import look_up
from channels.services.states import apply_status, fail, hold, lock, move, opt_out, unlink
from channels.services.texts import text_of
from channels.services.tries import (
    PATIENCE,
    digest_of,
    lock_try,
    log_step,
    note_unclear,
    recipient_of,
    write_outgoing,
)
from channels.switch import configured, paced
from channels.twilio_calls import NotReached, Outgoing, Refused, Taken, Unclear
from channels.windows import is_closed

State, Notice = Delivery.State, Delivery.Notice

#: Seconds before each try after the first, and by how much they vary; the last stands for all that follow.
DELAYS = [2, 8, 30, 120, 600]
JITTER = 0.2
#: Seconds for which a request may be under way; a call ends before. Then its worker is gone.
UNDER_WAY = 30
#: Seconds for which nothing is sent from a number after Twilio said that it is our fault.
PAUSE = 300

logger = logging.getLogger("twilio_webhook")


def take_step(delivery: Delivery, sender: Sender) -> None:
    """Does what is due; `delivery` is as it was read, and left alone where somebody else was quicker."""
    if delivery.asked_at is None:
        _send(delivery, sender)
    else:
        look_up(delivery, sender)


# --- Sending --------------------------------------------------------------------------------------


def _send(delivery: Delivery, sender: Sender) -> None:
    outgoing = _claim(delivery, sender)
    if outgoing is None:
        return
    try:
        taken = twilio_calls.send(outgoing)
    except Refused as refused:
        _refused(delivery, sender, refused)
    except NotReached as error:
        _try_later(delivery, None, None, str(error))
    except Unclear as error:
        note_unclear(delivery, str(error))
    else:
        _taken(delivery, taken, sender)


@transaction.atomic
def _claim(delivery: Delivery, sender: Sender) -> Outgoing | None:
    """Writes that it is being sent; None where it is not to be, by us, now or at all."""
    now = timezone.now()
    row = lock(delivery.pk, tries=delivery.tries, asked_at=None, due_at=delivery.due_at)
    if row is None or _is_settled_unsent(row, now):
        return None
    if tomorrow := _over_the_cap(now):
        move(row, State(row.state), due_at=tomorrow)
        return None
    delivery.tries, delivery.asked_at = row.tries + 1, now
    row.tries = delivery.tries
    outgoing = write_outgoing(row, sender)
    known = {"tries": row.tries, "asked_at": now, "asked_digest": digest_of(outgoing.body), "sid": None}
    # Unclear it stays until it is clear.
    state = State.UNKNOWN if row.state == State.UNKNOWN else State.SENDING
    move(row, state, due_at=now + paced(UNDER_WAY), error_code=None, error="", **known)
    return outgoing


def _is_settled_unsent(row: Delivery, now: datetime) -> bool:
    """Whether there is no sense in sending it, which is then written."""
    thread, message = row.thread, row.message
    if row.notice == Notice.TEMPLATE:
        # They wrote without being asked.
        is_unwanted = thread is None or thread.last_inbound_at > row.created_at
    elif message is not None:
        is_theirs = thread is not None and thread.address.user_id == message.recipient_id
        is_unwanted = message.deleted_by_recipient or not is_theirs or not text_of(row)
    else:
        is_unwanted = not text_of(row)
    if is_unwanted or _is_opted_out(row):
        move(row, State.SKIPPED, due_at=None)
    elif thread is not None and row.notice != Notice.TEMPLATE and is_closed(thread):
        hold(row, WINDOW_CLOSED)
    elif row.updated_at < now - PATIENCE and row.state != State.HELD:
        fail(row, row.error_code)
    else:
        return False
    return True


def _is_opted_out(row: Delivery) -> bool:
    if row.thread is not None:
        return row.thread.address.opted_out_at is not None
    return Address.objects.filter(value=recipient_of(row), opted_out_at__isnull=False).exists()


def _over_the_cap(now: datetime) -> datetime | None:
    """Counts a request, unless there were as many today as there may be: then when it is tomorrow."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    count, _ = count_request(f"channel-sends:{midnight:%Y%m%d}", seconds=2 * 24 * 3600)
    if count <= configured().sends_per_day:
        return None
    logger.error("not sent: AI_MESSAGE_TWILIO_SENDS_PER_DAY=%s is reached", configured().sends_per_day)
    return midnight


# --- What came of it ------------------------------------------------------------------------------


@transaction.atomic
def _taken(delivery: Delivery, taken: Taken, sender: Sender) -> None:
    row = lock_try(delivery)
    if row is not None:
        # What it says of itself beyond this comes as a report.
        apply_status(row, sid=taken.sid, state=State.ACCEPTED)
    if sender.paused_reason:
        Sender.objects.filter(pk=sender.pk).update(paused_until=None, paused_reason="")
    log_step(delivery, "accepted", taken.sid)


@transaction.atomic
def _refused(delivery: Delivery, sender: Sender, refused: Refused) -> None:
    row = lock_try(delivery)
    if row is None:
        return
    code, outcome = refused.code, outcome_of(refused.status, refused.code)
    log_step(delivery, f"refused: {outcome}", str(refused))
    if outcome is Outcome.TRY_LATER:
        _try_later(delivery, code, refused.retry_after, str(refused))
    elif outcome is Outcome.OURS:
        _pause(row, sender, refused)
    elif outcome is Outcome.WINDOW_CLOSED:
        hold(row, code or WINDOW_CLOSED)
    else:
        if outcome is Outcome.OPTED_OUT:
            opt_out(row)
        elif outcome is Outcome.GONE:
            unlink(row)
        fail(row, code)
        # Without its beginning nobody wants the rest.
        rest = Delivery.objects.filter(message=row.message_id, part__gt=row.part, state=State.PENDING)
        for part in rest.select_related("message") if row.message_id else ():
            fail(part, code)


@transaction.atomic
def _try_later(delivery: Delivery, code: int | None, after: float | None, why: str) -> None:
    row = lock_try(delivery)
    if row is None:
        return
    seconds = DELAYS[min(row.tries, len(DELAYS)) - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311  no secret
    asked = timedelta(seconds=min(after or 0.0, LONGEST_WAIT))
    now = timezone.now()
    known = {"asked_at": None, "error_code": code, "error": sentence_of(code) if code else ""}
    move(row, State(row.state), due_at=now + max(paced(seconds), asked), **known)
    log_step(delivery, "again later", why)


def _pause(delivery: Delivery, sender: Sender, refused: Refused) -> None:
    """All that goes from this number waits, and then this delivery is the one to try it with."""
    until = timezone.now() + paced(PAUSE)
    reason = f"{sentence_of(refused.code)} ({refused})"
    Sender.objects.filter(pk=sender.pk).update(paused_until=until, paused_reason=reason[:200])
    logger.error("paused: number=%s: %s", mask(sender.address), reason)
    known = {"error_code": refused.code, "error": sentence_of(refused.code)}
    move(delivery, State(delivery.state), asked_at=None, due_at=until, tries=delivery.tries - 1, **known)


# --- What operators do ----------------------------------------------------------------------------


class HasNotFailed(DomainError):
    def __init__(self) -> None:
        super().__init__("It has not failed")


@transaction.atomic
def send_again(delivery: Delivery) -> None:
    """Sends one that failed once more. Raises HasNotFailed."""
    row = lock(delivery.pk, state=State.FAILED)
    if row is None:
        raise HasNotFailed
    # What Twilio still says of the last try is none of this one's.
    move(row, State.PENDING, sid=None, tries=row.tries + 1, due_at=timezone.now(), error="", error_code=None)


def resume(sender: Sender) -> None:
    """Tries to send from a paused number at once."""
    now = timezone.now()
    Sender.objects.filter(pk=sender.pk).update(paused_until=None)
    waiting = Delivery.objects.filter(thread__sender=sender, asked_at=None, due_at__gt=now)
    waiting.exclude(error_code=None).update(due_at=now)
