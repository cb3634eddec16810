"""Decides which messages also go out by SMS or WhatsApp, and makes their deliveries."""

from django.conf import settings

from accounts.models import User
from aimessage.api.problems import Conflict, Forbidden, Reason
from channels.models import Delivery, Thread
from channels.outcomes import WINDOW_CLOSED, sentence_of
from channels.parts import to_parts
from channels.services.states import record_state, send_template
from channels.switch import configured
from channels.windows import is_closed
from messaging.models import Message, default_conversation_id
from messaging.services.extensions import Receiver

WANTS_NO_MESSAGES = Reason("This contact does not want messages", "opted_out")
IS_CLOSED = Reason("The WhatsApp window of this contact is closed", "window_closed")


def check_contact_takes_messages(sender: User, receiver: Receiver) -> None:
    """Raises Forbidden if a contact opted out, Conflict if their WhatsApp window is closed."""
    if receiver.kind != User.Kind.CONTACT or settings.TWILIO is None:
        return
    thread = _find_thread(sender.pk, receiver)
    if thread is None:
        return
    if thread.address.opted_out_at is not None:
        raise Forbidden(WANTS_NO_MESSAGES)
    if is_closed(thread) and not configured().template:
        raise Conflict(IS_CLOSED)


def deliver(message: Message, receiver: Receiver) -> None:
    """Makes the deliveries of a message to somebody who last wrote by SMS or WhatsApp."""
    if settings.TWILIO is None or message.sender_id is None:
        return
    thread = _find_thread(message.sender_id, receiver)
    if thread is None or not _answers(message, receiver):
        return
    parts = to_parts(message.content, max_parts=configured().max_parts)
    state, error_code = _first_state(thread)
    made = Delivery.objects.bulk_create(
        Delivery(
            message=message,
            thread=thread,
            part=number,
            parts=len(parts),
            state=state,
            error_code=error_code,
            error=sentence_of(error_code) if error_code else "",
            due_at=message.created_at if state == Delivery.State.PENDING else None,
        )
        for number in range(1, len(parts) + 1)
    )
    if state == Delivery.State.HELD:
        send_template(made[0])
    for delivery in made:
        record_state(delivery)


def _first_state(thread: Thread) -> tuple[Delivery.State, int | None]:
    if thread.address.opted_out_at is not None:
        return Delivery.State.SKIPPED, None
    if is_closed(thread):
        return Delivery.State.HELD if configured().template else Delivery.State.FAILED, WINDOW_CLOSED
    return Delivery.State.PENDING, None


def _find_thread(sender_id: int, receiver: Receiver) -> Thread | None:
    threads = Thread.objects.filter(inbox=sender_id, address__user=receiver.id)
    return threads.select_related("address").order_by("-last_inbound_at", "-pk").first()


def _answers(message: Message, receiver: Receiver) -> bool:
    # A contact has no other way to read it. A user gets it there only if their own last message in the
    # conversation came by SMS or WhatsApp, which its receipt shows.
    if receiver.kind == User.Kind.CONTACT:
        return True
    if message.conversation_id != default_conversation_id(message.sender_id or 0, receiver.id):
        return False
    theirs = Message.objects.filter(conversation=message.conversation_id, sender=receiver.id)
    receipt = theirs.order_by("-pk").values_list("receipt__pk", flat=True).first()
    return receipt is not None
