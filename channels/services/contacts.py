"""Contacts: the accounts of people who only write by SMS or WhatsApp, and who may write to them."""

import secrets

from accounts.models import User
from accounts.services.users import save_unique
from aimessage.api.problems import NotFound
from channels.masking import mask
from channels.models import Thread
from messaging.services.extensions import Receiver
from messaging.services.messages import RECIPIENT_NOT_FOUND

#: Every account needs an email address. RFC 2606 reserves `.invalid`, so no mail can be delivered there.
NO_MAIL = "contacts.invalid"


def make_contact(*, value: str, profile_name: str) -> User:
    username = f"contact-{secrets.token_hex(6)}"
    user = User(
        username=username,
        email=f"{username}@{NO_MAIL}",
        full_name=profile_name or mask(value),
        kind=User.Kind.CONTACT,
    )
    user.set_unusable_password()
    save_unique(user)
    return user


def check_writes_to_contact(sender: User, receiver: Receiver) -> None:
    """Raises NotFound for a contact, unless they have written to `sender`."""
    if receiver.kind != User.Kind.CONTACT:
        return
    if not Thread.objects.filter(address__user=receiver.id, inbox=sender).exists():
        raise NotFound(RECIPIENT_NOT_FOUND)
