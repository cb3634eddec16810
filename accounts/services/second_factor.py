"""Turns a user's second factor on and off, and renews its recovery codes."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
import segno
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts.events import EndReason
from accounts.models import PendingLogin, RecoveryCode, SecondFactor, Session, User
from accounts.services.codes import (
    WRONG_CODE,
    count_wrong_code,
    has_second_factor,
    make_recovery_codes,
    matching_steps,
    open_secret,
    refuse_too_many,
)
from accounts.services.mails import notify
from accounts.services.sessions import end_sessions
from aimessage.api.problems import Conflict, Forbidden, Invalid, NotFound, Reason
from aimessage.db.batches import delete_in_batches
from aimessage.seals import Unopened, reseal, seal

ALREADY_ON = Reason("Two-factor login is on already")
OFF = Reason("Two-factor login is off")
UNVERIFIED = Reason("Verify your e-mail address first", "email_unverified")
NOTHING_TO_CONFIRM = Reason("There is no second factor to confirm")

#: How long a new secret waits for its first code.
CONFIRM_WITHIN = timedelta(minutes=15)

logger = logging.getLogger("auth")


@dataclass(frozen=True)
class Enrolment:
    secret: str
    uri: str
    #: The QR code of `uri`.
    qr_svg: str


def enrolment_of(user: User, secret: str) -> Enrolment:
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=settings.NAME)
    svg = segno.make(uri, micro=False).svg_inline(scale=4, dark="#000", light="#fff")
    return Enrolment(secret, uri, svg)


# Views call this and the next two before they check a code, so that a refusal does not use it up.
def require_on(user: User) -> None:
    if not has_second_factor(user):
        raise NotFound(OFF)


def require_off(user: User) -> None:
    if has_second_factor(user):
        raise Conflict(ALREADY_ON)


def require_verified(user: User) -> None:
    # Somebody who registers with another person's address could lock that person out for good.
    if settings.MAIL_LEAVES and settings.EMAIL_VERIFICATION != "off" and user.email_verified_at is None:
        raise Forbidden(UNVERIFIED)


def begin_totp(user: User) -> Enrolment:
    """Makes a new secret, which replaces an unconfirmed one. Raises Conflict if TOTP is on."""
    secret = pyotp.random_base32()
    fresh = {"secret": seal(secret), "created_at": timezone.now(), "last_step": -1, "failures": 0}
    unconfirmed = SecondFactor.objects.filter(user=user, confirmed_at__isnull=True)
    try:
        with transaction.atomic():
            if not unconfirmed.update(**fresh):
                SecondFactor.objects.create(user=user, **fresh)
    except IntegrityError as error:  # on already, or begun by a parallel request
        raise Conflict(ALREADY_ON) from error
    return enrolment_of(user, secret)


def pending_totp(user: User) -> SecondFactor | None:
    since = timezone.now() - CONFIRM_WITHIN
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=True, created_at__gt=since).first()


def confirm_totp(user: User, *, code: str, keep: Session | None) -> list[str]:
    """Turns TOTP on, ends every session but `keep`, and returns the recovery codes.

    Raises NotFound if there is no secret to confirm, Invalid for a wrong code, LockedOut after too many.
    """
    factor = pending_totp(user)
    if factor is None:
        raise NotFound(NOTHING_TO_CONFIRM)
    refuse_too_many(user)
    secret = open_secret(factor)
    steps = matching_steps(secret, code) if secret else []
    if not secret or not steps:
        count_wrong_code(user)
        raise Invalid(WRONG_CODE)
    with transaction.atomic():
        # open_session takes this lock, too, so a login that saw no second factor opens no session afterwards.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        same = SecondFactor.objects.filter(pk=factor.pk, secret=factor.secret, confirmed_at__isnull=True)
        if not same.update(confirmed_at=timezone.now(), last_step=steps[-1]):
            raise NotFound(NOTHING_TO_CONFIRM)
        codes = make_recovery_codes(factor, secret)
        _end_others(user, keep, EndReason.LOGOUT_ALL, "second factor turned on")
        logger.info("second factor on: user=%s", user.pk)
        notify(user, "second_factor_on")
    return codes


@transaction.atomic
def renew_recovery_codes(user: User) -> list[str]:
    """Replaces all recovery codes and returns the new ones. Raises NotFound if TOTP is off."""
    # Without the lock, two parallel renewals would leave both sets of codes valid.
    locked = SecondFactor.objects.select_for_update(no_key=True)
    factor = locked.filter(user=user, confirmed_at__isnull=False).first()
    secret = open_secret(factor) if factor else None
    if factor is None or secret is None:
        raise NotFound(OFF)
    logger.info("recovery codes renewed: user=%s", user.pk)
    return make_recovery_codes(factor, secret)


def remove_anothers_factor(user: User, *, actor: User) -> None:
    # One's own takes a password and a code.
    if user.pk == actor.pk:
        raise Forbidden("You can remove your own second factor on its page alone")
    remove_second_factor(user, reason=EndReason.ADMIN, by=actor.pk)


@transaction.atomic
def remove_second_factor(
    user: User,
    *,
    keep: Session | None = None,
    reason: EndReason = EndReason.LOGOUT_ALL,
    by: object = "its user",
) -> None:
    """Turns TOTP off and ends every session but `keep`. Raises NotFound if it is off already."""
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    removed, _ = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).delete()
    if not removed:
        raise NotFound(OFF)
    _end_others(user, keep, reason, "second factor removed")
    logger.info("second factor off: user=%s by=%s", user.pk, by)
    notify(user, "second_factor_off")


def _end_others(user: User, keep: Session | None, reason: EndReason, note: str) -> None:
    User.objects.filter(pk=user.pk).update(admin_epoch=F("admin_epoch") + 1)
    PendingLogin.objects.filter(user=user).delete()
    sessions = Session.objects.filter(user=user)
    end_sessions(sessions.exclude(pk=keep.pk) if keep else sessions, reason=reason, note=note)


@dataclass(frozen=True)
class FactorState:
    totp_since: datetime | None
    recovery_codes_left: int


def factor_state(user: User) -> FactorState:
    factor = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).first()
    if factor is None:
        return FactorState(None, 0)
    left = RecoveryCode.objects.filter(factor=factor, used_at__isnull=True).count()
    return FactorState(factor.confirmed_at, left)


def reseal_secrets() -> tuple[int, int]:
    """Seals every secret with the first key. Returns how many it sealed, and how many no key opens."""
    resealed = unopened = 0
    for pk, sealed in SecondFactor.objects.order_by("pk").values_list("pk", "secret").iterator():
        try:
            fresh = reseal(sealed)
        except Unopened:
            logger.error("No key of AI_MESSAGE_ENCRYPTION_KEYS opens second factor %s.", pk)
            unopened += 1
            continue
        # A secret that was replaced meanwhile is sealed with the first key already.
        SecondFactor.objects.filter(pk=pk, secret=sealed).update(secret=fresh)
        resealed += 1
    return resealed, unopened


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    before = timezone.now() - CONFIRM_WITHIN
    stale = SecondFactor.objects.filter(confirmed_at__isnull=True, created_at__lt=before)
    return {"unconfirmed second factors": delete_in_batches(stale, dry_run=dry_run)}
