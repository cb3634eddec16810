"""Turning a second factor on and off."""

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
    """What an authenticator app needs: the secret, as text, as a link, and as a QR code of the link."""

    secret: str
    uri: str
    qr_svg: str


def enrolment_of(user: User, secret: str) -> Enrolment:
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=settings.NAME)
    svg = segno.make(uri, micro=False).svg_inline(scale=4, dark="#000", light="#fff")
    return Enrolment(secret, uri, svg)


def require_on(user: User) -> None:
    """Raises NotFound; to be asked before a code is used up for nothing."""
    if not has_second_factor(user):
        raise NotFound(OFF)


def require_off(user: User) -> None:
    """Raises Conflict; to be asked before a code is used up for nothing."""
    if has_second_factor(user):
        raise Conflict(ALREADY_ON)


def require_verified(user: User) -> None:
    """Raises Forbidden where mails reach people, and nobody has proved that this address is theirs: whoever
    registered with somebody else's would shut its owner out for good."""
    if settings.MAIL_LEAVES and settings.EMAIL_VERIFICATION != "off" and user.email_verified_at is None:
        raise Forbidden(UNVERIFIED)


def begin_totp(user: User) -> Enrolment:
    """A new secret, in place of one that was not confirmed. Raises Conflict where TOTP is on."""
    secret = pyotp.random_base32()
    fresh = {"secret": seal(secret), "created_at": timezone.now(), "last_step": -1, "failures": 0}
    unconfirmed = SecondFactor.objects.filter(user=user, confirmed_at__isnull=True)
    try:
        with transaction.atomic():
            if not unconfirmed.update(**fresh):
                SecondFactor.objects.create(user=user, **fresh)
    except IntegrityError as error:  # on, or begun by another request in this moment
        raise Conflict(ALREADY_ON) from error
    return enrolment_of(user, secret)


def pending_totp(user: User) -> SecondFactor | None:
    """The second factor that waits to be confirmed."""
    since = timezone.now() - CONFIRM_WITHIN
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=True, created_at__gt=since).first()


def confirm_totp(user: User, *, code: str, keep: Session | None) -> list[str]:
    """Turns TOTP on and ends every session but `keep`; returns the recovery codes.

    Raises NotFound where nothing waits to be confirmed, Invalid for a wrong code, LockedOut after too many.
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
        # A login that found no second factor takes this lock before it opens a session.
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
    """Ten new codes; the old ones are dead. Raises NotFound where TOTP is off."""
    # Without the lock, two renewals at once would leave both sets of codes.
    locked = SecondFactor.objects.select_for_update(no_key=True)
    factor = locked.filter(user=user, confirmed_at__isnull=False).first()
    secret = open_secret(factor) if factor else None
    if factor is None or secret is None:
        raise NotFound(OFF)
    logger.info("recovery codes renewed: user=%s", user.pk)
    return make_recovery_codes(factor, secret)


def remove_anothers_factor(user: User, *, actor: User) -> None:
    """For a superuser. Raises Forbidden for one's own, which takes a password and a code."""
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
    """Turns TOTP off and ends every session but `keep`. Raises NotFound where it is off."""
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
    """Seals each secret with the first key; how many there were, and how many that no key opens."""
    resealed = unopened = 0
    for pk, sealed in SecondFactor.objects.order_by("pk").values_list("pk", "secret").iterator():
        try:
            fresh = reseal(sealed)
        except Unopened:
            logger.error("No key of AI_MESSAGE_ENCRYPTION_KEYS opens second factor %s.", pk)
            unopened += 1
            continue
        # A secret that was made anew meanwhile is sealed with the first key anyway.
        SecondFactor.objects.filter(pk=pk, secret=sealed).update(secret=fresh)
        resealed += 1
    return resealed, unopened


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes secrets that were never confirmed."""
    before = timezone.now() - CONFIRM_WITHIN
    stale = SecondFactor.objects.filter(confirmed_at__isnull=True, created_at__lt=before)
    return {"unconfirmed second factors": delete_in_batches(stale, dry_run=dry_run)}
