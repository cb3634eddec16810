"""People who write to us, and what is due being sent, at once or as time goes by."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.db.models import Min
from django.utils import timezone

from accounts.models import User
from aimessage.jobs.running import run_due
from channels.inbound import read_inbound
from channels.jobs import dispatch
from channels.models import Address, Delivery, Sender
from channels.services.incoming import receive
from channels.tests.credentials import ACCOUNT
from messaging.models import Message
from messaging.services.messages import send_message

PHONE, OURS = "+14155550100", "+15005550006"
_SIDS = count(1)


def link(user: User, value: str = PHONE) -> Address:
    return Address.objects.create(value=value, user=user, linked_at=timezone.now(), proof=Address.Proof.TEXT)


def text_in(body: str = "Hello", *, sender: str = PHONE, to: str = OURS, **fields: str) -> None:
    """Somebody writes to one of our numbers."""
    fields = {"AccountSid": ACCOUNT, "From": sender, "To": to, "Body": body, **fields}
    receive(read_inbound({"MessageSid": f"SM{next(_SIDS) + 2**64:032x}", **fields}))


def reply(sender: User, to: User, content: str = "An answer") -> list[Delivery]:
    """`sender` writes in the app; the deliveries of that."""
    message, _ = send_message(sender, content=content, recipient_id=to.pk)
    return deliveries_of(message)


def deliveries_of(message: Message) -> list[Delivery]:
    return list(Delivery.objects.filter(message=message).order_by("part"))


def carry() -> None:
    """Sends what is due now."""
    for _ in range(100):
        if not dispatch() and not run_due("channels"):
            return
        run_due("channels")
    raise AssertionError("It is never done")


def carry_on(time_machine: Any, *, within: timedelta = timedelta(days=2)) -> None:
    """Sends what is due, and lets time go by until nothing more will be."""
    ends_at = timezone.now() + within
    while True:
        carry()
        now = timezone.now()
        later = [
            Delivery.objects.filter(due_at__gt=now).aggregate(at=Min("due_at"))["at"],
            Sender.objects.filter(paused_until__gt=now).aggregate(at=Min("paused_until"))["at"],
        ]
        next_at = min((at for at in later if at), default=None)
        if next_at is None or next_at > ends_at:
            return
        time_machine.move_to(next_at + timedelta(milliseconds=1), tick=False)
