"""One try to send a delivery: the request to Twilio, and the lock on the row while the try is current."""

import hashlib
import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from channels.models import Delivery, Sender
from channels.services.states import lock, name_delivery, set_state
from channels.services.texts import text_of
from channels.switch import configured, paced
from channels.twilio_calls import Outgoing

State, Notice = Delivery.State, Delivery.Notice

#: How long a delivery is retried, or looked up, before it is given up.
PATIENCE = timedelta(hours=24)
#: Seconds after an unanswered request at which Twilio's list is read. If the last look does not show the
#: message, Twilio does not have it.
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
    # Stripped, because Twilio's list may show a text without the white space around it.
    return hashlib.sha256(body.strip().encode("utf-8", "surrogatepass")).hexdigest()


def lock_try(delivery: Delivery) -> Delivery | None:
    """Locks the row if this request is still its current one; else None. Call it in a transaction."""
    return lock(delivery.pk, tries=delivery.tries, asked_at=delivery.asked_at)


@transaction.atomic
def set_unknown(delivery: Delivery, why: str) -> None:
    row = lock_try(delivery)
    if row is None or row.asked_at is None:
        return
    log_step(delivery, "unclear", why)
    set_state(row, State.UNKNOWN, due_at=row.asked_at + paced(LOOKS[0]))


def log_step(delivery: Delivery, what: str, detail: str) -> None:
    logger.info("send: delivery=%s try=%s %s (%s)", delivery.pk, delivery.tries, what, detail)
