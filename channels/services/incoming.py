"""Processes incoming messages: each MessageSid once, in one transaction without calls to other servers."""

import logging
from contextvars import ContextVar
from datetime import timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from accounts.models import User
from aimessage.api.problems import DomainError, TooManyRequests, Unavailable
from aimessage.api.throttles import seconds_to_wait
from aimessage.db.batches import delete_in_batches
from aimessage.db.text import is_visible
from channels.inbound import Inbound, Keyword
from channels.masking import mask
from channels.models import Address, Delivery, Receipt, Sender, Thread
from channels.services.addresses import INVITED_FOR, claim_address, find_address, remember_aliases
from channels.services.contacts import make_contact
from channels.services.inboxes import inbox_of
from channels.services.linking import find_texted_code, use_texted_code
from channels.services.notices import send_notice
from channels.switch import twilio_or_404
from messaging.models import Message, default_conversation_id
from messaging.services.extensions import Receiver, unanswered
from messaging.services.messages import send_message

#: How long receipts are kept, and the opt-outs of addresses without an account.
KEEP = timedelta(days=400)
#: The precision of Sender.seen_at: each update locks a row that all messages to the number need.
SEEN_EVERY = timedelta(hours=1)
#: An account or address may be deleted while its message is stored; the next try finds it gone.
TRIES = 5
#: PostgreSQL's SQLSTATE deadlock_detected.
DEADLOCK = "40P01"

#: The receipt of the message that is being stored.
_current_receipt: ContextVar[Receipt | None] = ContextVar("receipt", default=None)

logger = logging.getLogger("twilio_webhook")

Outcome = Receipt.Outcome


def receive(inbound: Inbound) -> None:
    """Stores the message and triggers its answer; does nothing if its MessageSid was received before."""
    sender = _update_sender(inbound)
    receipt = None
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                receipt = _process_once(inbound, sender)
            break
        except IntegrityError:
            if Receipt.objects.filter(message_sid=inbound.sid).exists():
                break
            if not tries_left:
                raise
        except OperationalError as error:
            if not tries_left or not _is_deadlock(error):
                raise
    logger.info(
        "received: sid=%s channel=%s from=%s to=%s outcome=%s message=%s",
        inbound.sid,
        inbound.channel,
        mask(inbound.from_address),
        mask(inbound.to_address),
        receipt.outcome if receipt else "known",
        receipt and receipt.message_id,
    )


def _is_deadlock(error: Exception) -> bool:
    # Deleting an account locks the same rows in another order.
    return getattr(error.__cause__, "sqlstate", None) == DEADLOCK


def _update_sender(inbound: Inbound) -> Sender:
    now = timezone.now()
    known = {"account_sid": inbound.account, "messaging_service_sid": inbound.pool}
    # Numbers can join a pool at any time, so an unknown one of ours is no error.
    found, _ = Sender.objects.select_related("inbox").get_or_create(
        address=inbound.to_address, defaults={**known, "seen_at": now}
    )
    is_as_known = all(getattr(found, name) == value for name, value in known.items())
    if not is_as_known or found.seen_at < now - SEEN_EVERY:
        Sender.objects.filter(pk=found.pk).update(**known, seen_at=now)
    return found


def _process_once(inbound: Inbound, sender: Sender) -> Receipt:
    """Raises IntegrityError if the MessageSid is known."""
    # First, so that a concurrent request with the same MessageSid waits here for this one to commit.
    receipt = Receipt.objects.create(message_sid=inbound.sid, outcome=Outcome.UNKNOWN)
    token = _current_receipt.set(receipt)
    try:
        receipt.outcome, receipt.message = _process(inbound, sender)
    finally:
        _current_receipt.reset(token)
    receipt.save(update_fields=["outcome", "message"])
    return receipt


def attach_message(message: Message, receiver: Receiver) -> None:
    receipt = _current_receipt.get()
    if receipt is not None and receipt.message_id is None:
        # Saved at once: an answer in the same transaction looks for the receipt of the message.
        receipt.message = message
        receipt.save(update_fields=["message"])


def _process(inbound: Inbound, sender: Sender) -> tuple[Outcome, Message | None]:
    address = find_address(inbound.from_address)
    user = address.user if address else None
    keyword = inbound.keyword(is_opted_out=bool(address and address.opted_out_at))
    if keyword is not None:
        return _apply_keyword(keyword, address, inbound, sender), None
    code = find_texted_code(inbound.body)
    if code is not None and (user is None or user.kind == User.Kind.CONTACT or user == code.user):
        value = address.value if address and user == code.user else inbound.from_address
        linked = use_texted_code(code, value=value)
        if linked is not None:
            send_notice(_update_thread(linked, sender, inbound), Delivery.Notice.LINKED)
            return Outcome.LINKED, None
    if address is None or user is None:
        return _process_unknown(inbound, sender, address)
    remember_aliases(address, inbound.aliases)
    return _store(address, user, inbound, sender)


def _apply_keyword(keyword: Keyword, address: Address | None, inbound: Inbound, sender: Sender) -> Outcome:
    if address is None:
        if keyword != Keyword.STOP or twilio_or_404().unknown == "ignore":
            return Outcome.KEYWORD
        # Remembered, so that the address is not invited later.
        address = claim_address(inbound.from_address)
    if keyword == Keyword.HELP:
        is_ours = not inbound.is_answered_by_twilio and address.user_id and not address.opted_out_at
        if is_ours and seconds_to_wait("channel", str(address.pk)) is None:
            send_notice(_update_thread(address, sender, inbound), Delivery.Notice.HELP)
        return Outcome.KEYWORD
    address.opted_out_at = timezone.now() if keyword == Keyword.STOP else None
    address.save(update_fields=["opted_out_at", "updated_at"])
    return Outcome.KEYWORD


def _process_unknown(
    inbound: Inbound, sender: Sender, address: Address | None
) -> tuple[Outcome, Message | None]:
    unknown = twilio_or_404().unknown
    if unknown == "ignore" or inbox_of(sender) is None:
        return Outcome.UNKNOWN, None
    address = address or claim_address(inbound.from_address)
    if unknown == "invite":
        return (Outcome.INVITED if _invite(address, sender, inbound) else Outcome.UNKNOWN), None
    if address.user is None:
        if not is_visible(inbound.body):
            return Outcome.EMPTY, None
        address.user = make_contact(value=address.value, profile_name=inbound.profile_name)
        address.linked_at = timezone.now()
        address.save(update_fields=["user", "linked_at", "updated_at"])
    remember_aliases(address, inbound.aliases)
    return _store(address, address.user, inbound, sender)


def _invite(address: Address, sender: Sender, inbound: Inbound) -> bool:
    now = timezone.now()
    is_recent = address.invited_at is not None and address.invited_at > now - INVITED_FOR
    if is_recent or address.opted_out_at is not None:
        return False
    address.invited_at = now
    address.save(update_fields=["invited_at", "updated_at"])
    send_notice(_update_thread(address, sender, inbound), Delivery.Notice.INVITE)
    return True


def _store(address: Address, user: User, inbound: Inbound, sender: Sender) -> tuple[Outcome, Message | None]:
    inbox = inbox_of(sender)
    if inbox is None:
        logger.error("no inbox: there is no account that %s is written to", mask(sender.address))
        return Outcome.REFUSED, None
    if not user.is_active:
        return Outcome.REFUSED, None
    if not is_visible(inbound.body):
        return Outcome.EMPTY, None
    _update_thread(address, sender, inbound, inbox=inbox)
    is_answered = seconds_to_wait("channel", str(address.pk)) is None and address.opted_out_at is None
    parent_id = _find_parent(inbound, user, inbox)
    try:
        message, is_answered = _send(user, inbox, inbound.body, parent_id, is_answered)
    except Unavailable:
        raise
    except DomainError as error:
        logger.info("not stored: sid=%s user=%s reason=%s", inbound.sid, user.pk, error.code)
        return Outcome.REFUSED, None
    return (Outcome.STORED if is_answered else Outcome.UNANSWERED), message


def _send(
    user: User, inbox: User, content: str, parent_id: int | None, is_answered: bool
) -> tuple[Message, bool]:
    token = unanswered.set(not is_answered)
    try:
        with transaction.atomic():
            message, _ = send_message(user, content=content, recipient_id=inbox.pk, parent_id=parent_id)
    except TooManyRequests:
        if not is_answered:
            raise
        # Too many messages wait for an answer; this one is stored all the same.
        return _send(user, inbox, content, parent_id, False)
    finally:
        unanswered.reset(token)
    return message, is_answered


def _update_thread(
    address: Address, sender: Sender, inbound: Inbound, *, inbox: User | None = None
) -> Thread:
    changes: dict[str, object] = {
        "reply_to": inbound.from_address,
        "messaging_service_sid": inbound.pool,
        "last_inbound_at": timezone.now(),
    }
    if inbox is not None:
        changes["inbox"] = inbox
    # `address` is locked, so no concurrent message creates the same thread.
    thread, _ = Thread.objects.update_or_create(address=address, sender=sender, defaults=changes)
    return thread


def _find_parent(inbound: Inbound, user: User, inbox: User) -> int | None:
    if not inbound.replied_sid:
        return None
    received = Receipt.objects.filter(message_sid=inbound.replied_sid).values_list("message", flat=True)
    sent = Delivery.objects.filter(sid=inbound.replied_sid).values_list("message", flat=True)
    replied = received.first() or sent.first()
    conversation = default_conversation_id(user.pk, inbox.pk)
    if replied is None:
        return None
    seen = Message.objects.visible_to(user).filter(conversation=conversation, pk=replied)
    return replied if seen.exists() else None


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes old receipts, and addresses without a user; returns the number of rows by their name."""
    now = timezone.now()
    receipts = Receipt.objects.filter(received_at__lt=now - KEEP)
    ownerless = Address.objects.filter(user__isnull=True)
    invited = ownerless.filter(opted_out_at__isnull=True, updated_at__lt=now - INVITED_FOR)
    opted_out = ownerless.filter(updated_at__lt=now - KEEP)
    return {
        "receipts": delete_in_batches(receipts, dry_run=dry_run),
        "addresses of nobody": delete_in_batches(invited | opted_out, dry_run=dry_run),
    }
