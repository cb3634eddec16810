"""Users of the operator's own backend exchange an assertion that it signed for a session."""

import logging
import secrets
from collections.abc import Iterator
from itertools import count

import regex
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.assertions import Assertion, InvalidAssertion, read_assertion
from accounts.models import ExternalIdentity, Session, UsedAssertion, User
from accounts.models.users import NO_ADDRESS
from accounts.names import (
    USERNAME_MAX_LENGTH,
    normalize_username,
    validate_not_reserved,
    validate_username,
)
from accounts.services.logins import refuse_disabled
from accounts.services.sessions import open_session
from accounts.services.users import TAKEN, save_unique
from accounts.tokens import TokenPair
from aimessage.api.problems import (
    CHANGED_MEANWHILE,
    FORBIDDEN,
    NOT_FOUND,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Reason,
    Unauthenticated,
)
from aimessage.db.batches import delete_in_batches
from aimessage.db.text import fold

ASSERTION_INVALID = Reason("Assertion is invalid or expired", "invalid_token")
NO_ACCOUNT = Reason("No account for this user", "no_account")

#: The username if nothing usable is left of the wanted one.
USUAL_NAME = "user"
#: Attempts to create an account while others take its name, or create it, at the same moment.
TRIES = 10
#: The highest number put behind a name that is taken; after that a random text.
NUMBERED = 5

_NOT_IN_NAMES = regex.compile(r"[^\p{L}\p{M}\p{Nd}@.+_-]+|\p{Default_Ignorable_Code_Point}+")

_NOT_ASCII = regex.compile(r"[^\x21-\x7e]+")

logger = logging.getLogger("auth")


def require_issuer() -> None:
    if settings.ISSUER_KEY is None:
        raise NotFound(NOT_FOUND)


def exchange(
    raw: str, *, device_info: str | None = None, ip_address: str | None = None
) -> tuple[Session, TokenPair]:
    """Opens a session for the user that the assertion `raw` names, and creates their account the first time.

    Raises NotFound if no issuer is configured, Unauthenticated if the assertion is invalid or was used
    before, Invalid if the e-mail address is taken, and Forbidden if there is no account, it is disabled, or
    its user works in the admin.
    """
    require_issuer()
    try:
        assertion = read_assertion(raw)
    except InvalidAssertion as error:
        raise Unauthenticated(ASSERTION_INVALID) from error
    with transaction.atomic():
        _use_up(assertion)
        user = _find_linked(assertion) or _link_by_address(assertion) or _create_account(assertion)
        # The lock is held to the end, so nobody is disabled or let into the admin while the session opens.
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        _refuse_staff(user)
        refuse_disabled(user)
        return open_session(user, device_info=device_info, ip_address=ip_address)


def _use_up(assertion: Assertion) -> None:
    # The unique index makes other requests with the same assertion wait until the first one commits.
    try:
        with transaction.atomic():
            UsedAssertion.objects.create(digest=assertion.digest, expires_at=assertion.expires_at)
    except IntegrityError as error:
        raise Unauthenticated(ASSERTION_INVALID) from error


def _find_linked(assertion: Assertion) -> User | None:
    known = ExternalIdentity.objects.filter(issuer=assertion.issuer, subject=assertion.subject)
    identity = known.select_related("user").first()
    return identity.user if identity else None


def _refuse_staff(user: User) -> None:
    if user.is_staff or user.is_superuser:
        raise Forbidden(FORBIDDEN)


def _link_by_address(assertion: Assertion) -> User | None:
    # Both sides must have verified the address; otherwise it could be used to take over an account.
    if not settings.ISSUER_LINK or not assertion.email_verified or not assertion.email:
        return None
    address = fold(User.objects.normalize_email(assertion.email))
    users = User.objects.persons().filter(email_key=address, email_verified_at__isnull=False)
    user: User | None = users.select_for_update(no_key=True).first()
    if user is None:
        return None
    _refuse_staff(user)
    refuse_disabled(user)
    try:
        with transaction.atomic():
            _identify(user, assertion)
    except IntegrityError:
        # The account belongs to another user of the issuer, or a parallel request has just linked this one.
        return _find_linked(assertion)
    logger.info("linked: user=%s issuer=%s", user.pk, assertion.issuer)
    return user


def _create_account(assertion: Assertion) -> User:
    if not settings.ISSUER_CREATE:
        raise Forbidden(NO_ACCOUNT)
    names = _candidate_names(assertion.username or assertion.subject)
    username = next(names)
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _create(assertion, username)
        except (Invalid, IntegrityError) as error:
            if user := _find_linked(assertion):  # by another assertion at the same moment
                return user
            field = getattr(error, "field", None)
            if field == "email":
                raise Invalid(TAKEN["email"]) from error
            if field != "username":
                raise
            username = next(names)
    raise Conflict(CHANGED_MEANWHILE)


def _create(assertion: Assertion, username: str) -> User:
    is_verified = bool(assertion.email) and assertion.email_verified
    user = User(
        username=username,
        email=User.objects.normalize_email(assertion.email or f"{secrets.token_hex(16)}@{NO_ADDRESS}"),
        email_verified_at=timezone.now() if is_verified else None,
        full_name=assertion.full_name or None,
    )
    user.set_unusable_password()
    save_unique(user)
    _identify(user, assertion)
    logger.info("registered: user=%s issuer=%s", user.pk, assertion.issuer)
    return user


def _identify(user: User, assertion: Assertion) -> None:
    ExternalIdentity.objects.create(user=user, issuer=assertion.issuer, subject=assertion.subject)


def _candidate_names(wanted: str) -> Iterator[str]:
    name = _valid_name(wanted)
    yield name
    for number in count(2):
        end = str(number) if number <= NUMBERED else secrets.token_hex(4)
        yield f"{name[: USERNAME_MAX_LENGTH - len(end) - 1]}-{end}"


def _valid_name(wanted: str) -> str:
    name = normalize_username(wanted)
    cleaned = _NOT_IN_NAMES.sub("_", name)[:USERNAME_MAX_LENGTH].strip("_")
    # For a name that mixes scripts.
    latin = _NOT_ASCII.sub("_", cleaned).strip("_")
    return next(filter(_is_valid, (name, cleaned, latin)), USUAL_NAME)


def _is_valid(name: str) -> bool:
    try:
        validate_username(name)
        validate_not_reserved(name)
    except ValidationError:
        return False
    return True


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    expired = UsedAssertion.objects.filter(expires_at__lt=timezone.now())
    return {"used assertions": delete_in_batches(expired, dry_run=dry_run)}
