"""Finds addresses, links them to accounts, and unlinks them."""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.events import USER_UPDATED
from accounts.models import User
from accounts.phones import to_e164
from accounts.services.mails import notify
from accounts.services.users import TAKEN, save_unique
from aimessage.api.problems import Invalid, NotFound, Reason
from aimessage.events.log import record
from channels.masking import mask
from channels.models import Address, Alias, Channel

#: An address is invited at most once in this time.
INVITED_FOR = timedelta(days=30)
#: For one account.
MAX_ADDRESSES = 20

ADDRESS_NOT_FOUND = Reason("Address not found")
TOO_MANY_ADDRESSES = Reason(f"An account has at most {MAX_ADDRESSES} addresses: remove one first")

logger = logging.getLogger("auth")


class Phone(NamedTuple):
    """What GET /auth/me/phone shows."""

    phone_number: str | None
    verified_at: datetime | None
    addresses: list[Address]


def phone_of(user: User) -> Phone:
    addresses = list(Address.objects.filter(user=user).order_by("pk"))
    proved = (one.linked_at for one in addresses if one.value == user.phone_number)
    return Phone(user.phone_number, next(proved, None), addresses)


def find_address(value: str) -> Address | None:
    """The address with this value or this alias, locked; None if there is none. Call it in a transaction."""
    # The lock serializes the messages from one address, and unlinking waits for them.
    locked = Address.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
    found = locked.filter(value=value).first()
    return found or locked.filter(aliases__value=value).first()


def claim_address(value: str) -> Address:
    """Gets or creates the address with exactly this value, locked. Call it in a transaction."""
    try:
        with transaction.atomic():
            return Address.objects.create(value=value)
    except IntegrityError:
        locked = Address.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
        return locked.get(value=value)


def remember_aliases(address: Address, values: tuple[str, ...]) -> None:
    for value in values:
        # A value that somebody has linked as an address of its own stays theirs.
        if not Address.objects.filter(value=value).exists():
            Alias.objects.update_or_create(value=value, defaults={"address": address})


@transaction.atomic
def link_address(value: str, *, user: User, proof: Address.Proof) -> Address:
    """Makes `value` an address of `user`, who proved it. A previous user loses it and is notified by mail.

    The previous user's deliveries to it are deleted. An SMS address also becomes the account's phone number,
    and is cleared from accounts that only claimed it.
    """
    # Serializes two codes of one user, and two users who prove each other's numbers.
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    address = claim_address(value)
    if address.user_id != user.pk:
        if address.user is not None:
            notify(address.user, "phone_lost", ending=mask(value))
            logger.info("address lost: user=%s address=%s", address.user_id, address.pk)
        address.threads.all().delete()
        address.aliases.all().delete()
    # If it was a contact's, old messages stay with the contact; new ones belong to the user.
    address.user, address.proof, address.linked_at = user, proof, timezone.now()
    address.invited_at = None
    address.save()
    if address.channel == Channel.SMS:
        _set_proved_number(user, value)
    logger.info("address linked: user=%s address=%s proof=%s", user.pk, address.pk, proof)
    return address


def _set_proved_number(user: User, value: str) -> None:
    try:
        number = to_e164(value)
    except ValueError:  # a short code, or a form of a number that only WhatsApp uses
        return
    for claimant in User.objects.filter(phone_number=number).exclude(pk=user.pk).order_by("pk"):
        User.objects.filter(pk=claimant.pk).update(phone_number=None, updated_at=timezone.now())
        record(USER_UPDATED, data={"user_id": claimant.pk})
        logger.info("number given up: user=%s", claimant.pk)
    if user.phone_number != number:
        user.phone_number = number
        save_unique(user, fields=["phone_number", "updated_at"])


def set_phone_number(user: User, number: str | None) -> None:
    """Sets a number without proof; None clears it and unlinks every address.

    Raises Invalid if the number is another account's.
    """
    proved = Address.objects.filter(value=number).exclude(proof=Address.Proof.NONE)
    if number is not None and proved.exclude(user=user).exists():
        raise Invalid(TAKEN["phone_number"])
    with transaction.atomic():
        if number is None:
            for address in Address.objects.filter(user=user).select_for_update(no_key=True).order_by("pk"):
                _forget(address)
        if user.phone_number != number:
            user.phone_number = number
            save_unique(user, fields=["phone_number", "updated_at"])


@transaction.atomic
def remove_address(user: User, pk: int) -> None:
    """Unlinks an address of `user`. Raises NotFound."""
    address = Address.objects.filter(user=user, pk=pk).select_for_update(no_key=True).first()
    if address is None:
        raise NotFound(ADDRESS_NOT_FOUND)
    _forget(address)


def _forget(address: Address) -> None:
    logger.info("address removed: user=%s address=%s", address.user_id, address.pk)
    if address.opted_out_at is None:
        address.delete()
        return
    # The row stays for its opt-out, which also binds the next account that links the address.
    address.threads.all().delete()
    _clear_owner(address)


@transaction.atomic
def unlink_unreachable(pk: int, *, written_at: datetime) -> None:
    """Unlinks an address to which a message written at `written_at` failed; its user is notified by mail.

    Does nothing if the address was linked after that, or belongs to a contact. Deliveries stay, so that
    senders can see why theirs failed.
    """
    proved = Address.objects.filter(linked_at__lte=written_at).exclude(proof=Address.Proof.NONE)
    locked = proved.select_for_update(no_key=True, of=("self",)).select_related("user")
    address = locked.filter(pk=pk).first()
    if address is None or address.user is None:
        return
    notify(address.user, "phone_unreachable", ending=mask(address.value))
    logger.info("address unreachable: user=%s address=%s", address.user_id, address.pk)
    _clear_owner(address)


def _clear_owner(address: Address) -> None:
    address.aliases.all().delete()
    address.user, address.linked_at, address.proof = None, None, Address.Proof.NONE
    address.save()
