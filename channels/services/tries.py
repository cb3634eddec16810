"""One try to send a delivery: what Twilio is asked, and the row while nobody else has begun another."""

import hashlib
import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from channels.models import Delivery, Sender
from channels.services.states import lock, move, name_delivery
from channels.services.texts import text_of
from channels.switch import configured, paced
from channels.twilio_calls import Outgoing

State, Notice = Delivery.State, Delivery.Notice

#: How long something is tried, or looked for.
PATIENCE = timedelta(hours=24)
#: Seconds after a request without an answer at which the list is asked. What it does not show at the last of
#: them, Twilio has not got.
LOOKS = [5, 20, 90]

logger = logging.getLogger("twilio_webhook")


def write_outgoing(delivery: Delivery, sender: Sender) -> Outgoing:
    thread = delivery.thread
    return Outgoing(
        account=sender.account_sid,
        sender=sender.address,
        pool=thread.messaging_service_sid if thread else "",
        to=recipient_of(delivery),
        body=text_of(delivery),
        template=configured().template if delivery.notice == Notice.TEMPLATE else "",
        callback=f"{settings.PUBLIC_URL}/twilio_webhook/status?d={name_delivery(delivery)}",
    )


def recipient_of(delivery: Delivery) -> str:
    if delivery.thread is not None:
        return delivery.thread.reply_to
    return delivery.code.phone_number if delivery.code is not None else ""


def digest_of(body: str) -> str:
    """The list may show a text without the blanks around it."""
    return hashlib.sha256(body.strip().encode("utf-8", "surrogatepass")).hexdigest()


def lock_try(delivery: Delivery) -> Delivery | None:
    """The row, while this request is the one that it waits for; call it in a transaction."""
    return lock(delivery.pk, tries=delivery.tries, asked_at=delivery.asked_at)


@transaction.atomic
def note_unclear(delivery: Delivery, why: str) -> None:
    row = lock_try(delivery)
    if row is None or row.asked_at is None:
        return
    log_step(delivery, "unclear", why)
    move(row, State.UNKNOWN, due_at=row.asked_at + paced(LOOKS[0]))


def log_step(delivery: Delivery, what: str, detail: str) -> None:
    logger.info("send: delivery=%s try=%s %s (%s)", delivery.pk, delivery.tries, what, detail)
