"""Password resets by mail, and verifying and changing a user's e-mail address."""

import logging

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.events import EndReason
from accounts.models import Invitation, MailSecret, PersonalToken, User
from accounts.passwords import check_new_password, normalize_password
from accounts.services.mail_secrets import LinkInvalid, Purpose, find_secret, uncount_try, use_up
from accounts.services.mails import ask_to_change, notify
from accounts.services.sessions import log_out_everywhere
from accounts.services.tokens import revoke_tokens
from accounts.services.users import TAKEN, save_unique, store_password
from aimessage.api.problems import Invalid
from aimessage.db.text import fold

logger = logging.getLogger("auth")


def reset_password(
    new_password: str, *, token: str | None = None, email: str | None = None, code: str | None = None
) -> None:
    """Sets the password of the user that the link or code was mailed to.

    Ends their sessions and revokes their tokens. Raises LinkInvalid, and ValidationError for a password that
    is refused; then the link or code can still be used.
    """
    secret = find_secret(Purpose.RESET, token=token, email=email, code=code)
    try:
        check_new_password("new_password", new_password, secret.user)
    except ValidationError:
        if not token:
            uncount_try(secret)
        raise
    # Hashed before the lock is taken, because it takes a quarter of a second.
    hashed = make_password(normalize_password(new_password))
    with transaction.atomic():
        user = _redeem(secret, user_address="email_key")
        # An intruder may have asked for other links, or for a change of the address.
        MailSecret.objects.filter(user=user).delete()
        user.email_verified_at = user.email_verified_at or timezone.now()
        user.email_pending = None
        user.save(update_fields=["email_verified_at", "email_pending"])
        store_password(user, hashed, keep=None, expected=None)
        log_out_everywhere(user, reason=EndReason.PASSWORD_CHANGED)
        revoke_tokens(PersonalToken.objects.filter(user=user), reason="password reset")
        logger.info("password reset: user=%s", user.pk)


def verify_address(*, token: str | None = None, email: str | None = None, code: str | None = None) -> None:
    """Verifies the address that the link or code was mailed to; a pending address becomes the user's address.

    Raises LinkInvalid, and Invalid if the pending address was taken meanwhile.
    """
    secret = find_secret(Purpose.VERIFY, Purpose.CHANGE, token=token, email=email, code=code)
    with transaction.atomic():
        if secret.purpose == Purpose.VERIFY:
            user = _redeem(secret, user_address="email_key")
            user.email_verified_at = timezone.now()
            user.save(update_fields=["email_verified_at"])
        else:
            user = _redeem(secret, user_address="email_pending")
            _set_address(user, user.email_pending or "")
        logger.info("address verified: user=%s", user.pk)


def change_address(user: User, email: str) -> str | None:
    """Makes `email` the user's pending address, mails it a link, and returns it.

    Returns None if nothing is pending afterwards: `email` is the current address (which cancels another
    change), or this server verifies no addresses and so changes it at once. Raises Invalid if the address is
    taken.
    """
    with transaction.atomic():
        current = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if fold(email) == current.email_key:
            _set_pending(current, None)
            return None
        if User.objects.filter(email_key=fold(email)).exists():
            raise Invalid(TAKEN["email"])
        if not settings.MAIL_ON or settings.EMAIL_VERIFICATION == "off":
            _set_address(current, email, verified=False)
            user.email = current.email
            return None
        _set_pending(current, email)
        ask_to_change(current)
    return email


def replace_address(user: User, email: str) -> None:
    """Sets an unverified address at once. Raises Invalid if it is taken."""
    with transaction.atomic():
        _set_address(User.objects.select_for_update(no_key=True).get(pk=user.pk), email, verified=False)


def _set_pending(user: User, email: str | None) -> None:
    # For the same address again the earlier link stays valid: a limit may hold the new mail back.
    if email is None or fold(email) != fold(user.email_pending or ""):
        MailSecret.objects.filter(user=user, purpose=Purpose.CHANGE).delete()
    user.email_pending = email
    user.save(update_fields=["email_pending"])


def _set_address(user: User, email: str, *, verified: bool = True) -> None:
    old, was_verified = user.email, user.email_verified_at is not None
    MailSecret.objects.filter(user=user).delete()  # links to the old address
    # They hold the old address. Deleting the account would no longer find them by it.
    Invitation.objects.filter(email_key=fold(old), uses__gt=0).delete()
    user.email, user.email_pending = email, None
    user.email_verified_at = timezone.now() if verified else None
    save_unique(user, fields=["email", "email_pending", "email_verified_at", "updated_at"])
    if was_verified:
        notify(user, "address_changed", address=old)
    logger.info("address changed: user=%s", user.pk)


def _redeem(secret: MailSecret, *, user_address: str) -> User:
    users = User.objects.filter(pk=secret.user_id, is_active=True).select_for_update(no_key=True)
    user = users.first()
    if user is None or fold(getattr(user, user_address) or "") != secret.address_key:
        raise LinkInvalid
    use_up(secret)
    return user
