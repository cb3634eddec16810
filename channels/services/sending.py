"""Takes one step of one delivery: sends it, or looks up whether an unanswered request got through.

Before Twilio is called, a transaction of its own marks the row as asked. If the worker is killed or no answer
comes, the row stays marked, and it is sent again only if Twilio's list does not show it. So nobody gets a
message twice.
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
from channels.services.states import apply_status, fail, hold, lock, opt_out, set_state, unlink
from channels.services.texts import text_of
from channels.services.tries import (
    PATIENCE,
    digest_of,
    lock_try,
    log_step,
    recipient_of,
    set_unknown,
    write_outgoing,
)
from channels.switch import configured, paced
from channels.twilio_calls import NotReached, Outgoing, Refused, TwilioMessage, Unclear
from channels.windows import is_closed

State, Notice = Delivery.State, Delivery.Notice

#: Seconds before each try after the first, stretched by up to JITTER; later tries repeat the last one.
DELAYS = [2, 8, 30, 120, 600]
JITTER = 0.2
#: Seconds after which a request without an outcome means that its worker is gone; longer than any call.
UNDER_WAY = 30
#: Seconds for which a number is paused after an error of Outcome.OURS.
PAUSE = 300

logger = logging.getLogger("twilio_webhook")


def take_step(delivery: Delivery, sender: Sender) -> None:
    """Sends or looks up `delivery`; does nothing if the row has changed since it was read."""
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
        message = twilio_calls.send(outgoing)
    except Refused as refused:
        _apply_refusal(delivery, sender, refused)
    except NotReached as error:
        _try_later(delivery, None, None, str(error))
    except Unclear as error:
        set_unknown(delivery, str(error))
    else:
        _accept(delivery, message, sender)


@transaction.atomic
def _claim(delivery: Delivery, sender: Sender) -> Outgoing | None:
    """Marks the row as being sent; None if it must not be sent now, or the row has changed."""
    now = timezone.now()
    row = lock(delivery.pk, tries=delivery.tries, asked_at=None, due_at=delivery.due_at)
    if row is None or _settle_unsent(row, now):
        return None
    if tomorrow := _wait_for_daily_limit(now):
        set_state(row, State(row.state), due_at=tomorrow)
        return None
    delivery.tries, delivery.asked_at = row.tries + 1, now
    row.tries = delivery.tries
    outgoing = write_outgoing(row, sender)
    changes = {"tries": row.tries, "asked_at": now, "asked_digest": digest_of(outgoing.body), "sid": None}
    # After an unclear try it stays UNKNOWN until the outcome is clear.
    state = State.UNKNOWN if row.state == State.UNKNOWN else State.SENDING
    set_state(row, state, due_at=now + paced(UNDER_WAY), error_code=None, error="", **changes)
    return outgoing


def _settle_unsent(row: Delivery, now: datetime) -> bool:
    """Skips, holds or fails a delivery that should not be sent; returns whether it did."""
    thread, message = row.thread, row.message
    if row.notice == Notice.TEMPLATE:
        # The template asks the contact to write, and they have written meanwhile.
        is_unwanted = thread is None or thread.last_inbound_at > row.created_at
    elif message is not None:
        is_theirs = thread is not None and thread.address.user_id == message.recipient_id
        is_unwanted = message.deleted_by_recipient or not is_theirs or not text_of(row)
    else:
        is_unwanted = not text_of(row)
    if is_unwanted or _is_opted_out(row):
        set_state(row, State.SKIPPED, due_at=None)
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


def _wait_for_daily_limit(now: datetime) -> datetime | None:
    """Counts one request of today; above the limit it returns the next midnight (UTC), else None."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    count, _ = count_request(f"channel-sends:{midnight:%Y%m%d}", seconds=2 * 24 * 3600)
    if count <= configured().sends_per_day:
        return None
    logger.error("not sent: AI_MESSAGE_TWILIO_SENDS_PER_DAY=%s is reached", configured().sends_per_day)
    return midnight


# --- Outcomes -------------------------------------------------------------------------------------


@transaction.atomic
def _accept(delivery: Delivery, message: TwilioMessage, sender: Sender) -> None:
    row = lock_try(delivery)
    if row is not None:
        # Any later status comes as a report to our callback.
        apply_status(row, sid=message.sid, state=State.ACCEPTED)
    if sender.paused_reason:
        Sender.objects.filter(pk=sender.pk).update(paused_until=None, paused_reason="")
    log_step(delivery, "accepted", message.sid)


@transaction.atomic
def _apply_refusal(delivery: Delivery, sender: Sender, refused: Refused) -> None:
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
        # A message without its beginning makes no sense, so the later parts fail, too.
        rest = Delivery.objects.filter(message=row.message_id, part__gt=row.part, state=State.PENDING)
        for part in rest.select_related("message") if row.message_id else ():
            fail(part, code)


@transaction.atomic
def _try_later(delivery: Delivery, code: int | None, retry_after: float | None, why: str) -> None:
    row = lock_try(delivery)
    if row is None:
        return
    seconds = DELAYS[min(row.tries, len(DELAYS)) - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311  no secret
    requested = timedelta(seconds=min(retry_after or 0.0, LONGEST_WAIT))
    due_at = timezone.now() + max(paced(seconds), requested)
    error = sentence_of(code) if code else ""
    set_state(row, State(row.state), due_at=due_at, asked_at=None, error_code=code, error=error)
    log_step(delivery, "again later", why)


def _pause(delivery: Delivery, sender: Sender, refused: Refused) -> None:
    until = timezone.now() + paced(PAUSE)
    reason = f"{sentence_of(refused.code)} ({refused})"
    Sender.objects.filter(pk=sender.pk).update(paused_until=until, paused_reason=reason[:200])
    logger.error("paused: number=%s: %s", mask(sender.address), reason)
    # The try does not count, and this delivery is the first to be sent after the pause.
    changes = {"tries": delivery.tries - 1, "error_code": refused.code, "error": sentence_of(refused.code)}
    set_state(delivery, State(delivery.state), asked_at=None, due_at=until, **changes)


# --- Actions of operators -------------------------------------------------------------------------


class HasNotFailed(DomainError):
    def __init__(self) -> None:
        super().__init__("It has not failed")


@transaction.atomic
def send_again(delivery: Delivery) -> None:
    """Makes a failed delivery due again. Raises HasNotFailed."""
    row = lock(delivery.pk, state=State.FAILED)
    if row is None:
        raise HasNotFailed
    # A new try without a SID, so that late reports on the last try do not match this row.
    changes = {"sid": None, "tries": row.tries + 1, "error": "", "error_code": None}
    set_state(row, State.PENDING, due_at=timezone.now(), **changes)


def resume(sender: Sender) -> None:
    """Ends the pause of a number; deliveries that were postponed after an error are due at once."""
    now = timezone.now()
    Sender.objects.filter(pk=sender.pk).update(paused_until=None)
    waiting = Delivery.objects.filter(thread__sender=sender, asked_at=None, due_at__gt=now)
    waiting.exclude(error_code=None).update(due_at=now)
