"""Changes the states of deliveries, with an event for both users. Twilio's reports only raise their rank."""

import logging
import re
from collections.abc import Mapping

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from aimessage.db.ids import is_id
from aimessage.events.log import record
from channels.events import MESSAGE_DELIVERY
from channels.models import SID_LENGTH, Address, Delivery
from channels.outcomes import Outcome, outcome_of, sentence_of
from channels.services.addresses import unlink_unreachable
from channels.switch import configured

State = Delivery.State

#: DELIVERED and FAILED rank the same: if Twilio reports both, the last report counts.
RANKS = {
    State.PENDING: 0,
    State.HELD: 1,
    State.SENDING: 2,
    State.UNKNOWN: 3,
    State.ACCEPTED: 4,
    State.SENT: 5,
    State.DELIVERED: 6,
    State.FAILED: 6,
    State.READ: 7,
    State.SKIPPED: 8,
}
#: Twilio's status → our state; https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
STATES = {
    **dict.fromkeys(["accepted", "scheduled", "queued", "sending"], State.ACCEPTED),
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.READ,
    **dict.fromkeys(["undelivered", "failed", "canceled"], State.FAILED),
}
_SID = re.compile(rf"[A-Za-z0-9]{{1,{SID_LENGTH}}}")
_BAD_REQUEST = 400

logger = logging.getLogger("twilio_webhook")


def name_delivery(delivery: Delivery) -> str:
    """The parameter `d` of the callback URL at which Twilio reports on this try."""
    return f"{delivery.pk}.{delivery.tries}.{_seal(delivery.pk, delivery.tries)}"


def _seal(pk: int, tries: int) -> str:
    return salted_hmac("channels.delivery", f"{pk}.{tries}", algorithm="sha256").hexdigest()[:16]


def set_state(delivery: Delivery, state: State, **changes: object) -> None:
    """Writes the state and the columns in `changes`. The row must be locked, or claimed by this turn."""
    is_new = state != delivery.state
    changes |= {"state": state}
    if is_new:
        changes["updated_at"] = timezone.now()
    for name, value in changes.items():
        setattr(delivery, name, value)
    Delivery.objects.filter(pk=delivery.pk).update(**changes)
    if is_new:
        record_state(delivery)


def record_state(delivery: Delivery) -> None:
    if delivery.message is None:  # a notice, which concerns no other user
        return
    message = delivery.message
    record(
        MESSAGE_DELIVERY,
        [message.sender_id, message.recipient_id],
        conversation_id=message.conversation_id,
        message_id=message.pk,
        data={"state": str(delivery.state), "error_code": delivery.error_code},
    )


def lock(pk: int, **conditions: object) -> Delivery | None:
    """Locks the row if it still meets `conditions`; else None."""
    return _locked().filter(pk=pk, **conditions).first()


def _locked() -> QuerySet[Delivery]:
    return Delivery.objects.select_for_update(of=("self",)).select_related("message", "thread__address")


def fail(delivery: Delivery, code: int | None, **changes: object) -> None:
    nothing_due = {"due_at": None, "asked_at": None}
    set_state(delivery, State.FAILED, error_code=code, error=sentence_of(code), **{**nothing_due, **changes})


def opt_out(delivery: Delivery) -> None:
    if delivery.thread is not None:
        address = Address.objects.filter(pk=delivery.thread.address_id, opted_out_at=None)
        address.update(opted_out_at=timezone.now())


def unlink(delivery: Delivery) -> None:
    if delivery.thread is not None:
        unlink_unreachable(delivery.thread.address_id, written_at=delivery.created_at)


def hold(delivery: Delivery, code: int, **changes: object) -> None:
    """Holds a message until the contact writes, and sends the template that asks them to.

    For a notice, or if no template is configured, the delivery fails instead.
    """
    if not configured().template or delivery.message is None:
        fail(delivery, code, **changes)
        return
    nothing_due = {"due_at": None, "asked_at": None}
    set_state(delivery, State.HELD, error_code=code, error=sentence_of(code), **{**nothing_due, **changes})
    send_template(delivery)


def send_template(delivery: Delivery) -> None:
    thread, template = delivery.thread, Delivery.Notice.TEMPLATE
    if thread is None:
        return
    # One template until the contact writes.
    sent = Delivery.objects.filter(thread=thread, notice=template, created_at__gt=thread.last_inbound_at)
    if not sent.exists():
        Delivery.objects.create(thread=thread, notice=template)


# --- Twilio's reports -----------------------------------------------------------------------------


@transaction.atomic
def apply_report(fields: Mapping[str, str], *, delivery: str) -> None:
    """Applies Twilio's report on a delivery; `delivery` is the parameter `d` of the callback URL."""
    sid = fields.get("MessageSid", "")
    status = fields.get("MessageStatus", "")
    raw = fields.get("ErrorCode", "")
    code = int(raw) if is_id(raw) and len(raw) <= 9 else None
    state = STATES.get(status)
    row = _find(sid, delivery) if state and _SID.fullmatch(sid) else None
    if row is not None and state is not None:
        apply_status(row, sid=sid, state=state, code=code)
    logger.info(
        "status: sid=%s status=%s code=%s delivery=%s state=%s",
        sid if _SID.fullmatch(sid) else "-",
        status if state else "unknown",
        code,
        row and row.pk,
        row and row.state,
    )


def _find(sid: str, name: str) -> Delivery | None:
    if found := _locked().filter(sid=sid).first():
        return found
    # A report can arrive before the answer that brings the SID; then the name identifies the delivery.
    pk, _, rest = name.partition(".")
    tries, _, seal = rest.partition(".")
    if not (is_id(pk) and is_id(tries) and constant_time_compare(seal, _seal(int(pk), int(tries)))):
        return None
    # Only the current try: after an earlier one, the text has been sent again.
    return _locked().filter(pk=int(pk), tries=int(tries), sid=None).first()


def apply_status(delivery: Delivery, *, sid: str, state: State, code: int | None = None) -> None:
    """Applies a status that Twilio gives for a delivery that it has accepted. The row must be locked."""
    current = State(delivery.state)
    outcome = outcome_of(_BAD_REQUEST, code) if state == State.FAILED and code else None
    if outcome is Outcome.OPTED_OUT:
        opt_out(delivery)
    accepted_at = delivery.accepted_at or timezone.now()
    known = {"sid": sid, "asked_at": None, "due_at": None, "accepted_at": accepted_at}
    if RANKS[state] < RANKS[current] or current == State.HELD:
        # Late reports, and those on the try for which a delivery was held, do not change the state.
        set_state(delivery, current, **known)
    elif outcome is Outcome.WINDOW_CLOSED and code:
        hold(delivery, code, **known)
    else:
        if outcome is Outcome.GONE:
            unlink(delivery)
        error = sentence_of(code) if state == State.FAILED else ""
        set_state(delivery, state, error_code=code if error else None, error=error, **known)
