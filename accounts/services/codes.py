"""Codes of a second factor: is this one right, and how many may be tried?

A right code is used up by one conditional UPDATE, whose row count is the answer. The limits count by user,
whatever address the codes come from, since only somebody who knows the password gets here.
"""

import hashlib
import hmac
import logging
import re
import secrets
from datetime import timedelta

import pyotp
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import RecoveryCode, SecondFactor, User, WrongCode
from accounts.services.mails import notify
from aimessage.api.guesses import LockedOut
from aimessage.api.problems import Forbidden, Reason
from aimessage.db.batches import delete_in_batches
from aimessage.db.ids import first_id
from aimessage.seals import Unopened, unseal

WRONG_CODE = Reason("Incorrect code", "wrong_code", field="code")
RESET_REQUIRED = Reason("Too many wrong codes: reset your password", "reset_required")

#: Wrong codes of one user within CODE_WINDOW after which no further code is looked at.
MAX_WRONG_CODES = 10
CODE_WINDOW = timedelta(minutes=15)
#: Wrong codes in a row after which only a new password opens the account (NIST SP 800-63B-4 allows 100).
MAX_WRONG_IN_A_ROW = 50
#: The user is told by mail at every tenth wrong code in a row.
MAIL_EVERY = 10
#: Steps before and after the present one whose codes count, because clocks differ (RFC 6238, 5.2).
STEPS_AROUND = 1

#: RFC 8628, 6.1: no vowels, so that no words come about, and no letters that look alike.
RECOVERY_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
RECOVERY_LENGTH = 10

_TOTP = re.compile(r"[0-9]{6}")
_IGNORED = re.compile(r"[\s-]")

logger = logging.getLogger("auth")


def has_second_factor(user: User) -> bool:
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def check_code(user: User, *, code: str | None = None, recovery_code: str | None = None) -> bool:
    """Uses a code up and returns True, or counts a wrong one.

    Raises LockedOut past MAX_WRONG_CODES, and Forbidden past MAX_WRONG_IN_A_ROW.
    """
    with transaction.atomic():
        # The lock makes codes for one user wait for each other: without it guesses in parallel would each be
        # checked before the others are counted.
        factor = SecondFactor.objects.select_for_update(no_key=True).filter(user=user).first()
        if factor is None or factor.confirmed_at is None:  # removed meanwhile
            return False
        if factor.failures >= MAX_WRONG_IN_A_ROW:
            raise Forbidden(RESET_REQUIRED)
        refuse_too_many(user)
        is_right = _use_totp(factor, code) if code else _use_recovery_code(factor, recovery_code or "")
        if not is_right:
            _count_wrong(factor)
        return is_right


def refuse_too_many(user: User) -> None:
    """Raises LockedOut while MAX_WRONG_CODES wrong codes lie within CODE_WINDOW."""
    now = timezone.now()
    latest = WrongCode.objects.filter(user=user, created_at__gt=now - CODE_WINDOW).order_by("-created_at")
    rows = list(latest.values_list("pk", "created_at")[:MAX_WRONG_CODES])
    if len(rows) == MAX_WRONG_CODES:
        (newest, _), (_, oldest) = rows[0], rows[-1]
        left = oldest + CODE_WINDOW - now
        raise LockedOut(retry_after=left.total_seconds(), claim=lambda: _claim(newest))


def _claim(pk: int) -> bool:
    return WrongCode.objects.filter(pk=pk, is_noted=False).update(is_noted=True) == 1


def count_wrong_code(user: User) -> None:
    """Counts towards MAX_WRONG_CODES alone."""
    WrongCode.objects.create(user=user)


def _count_wrong(factor: SecondFactor) -> None:
    count_wrong_code(factor.user)
    SecondFactor.objects.filter(pk=factor.pk).update(failures=F("failures") + 1)
    in_a_row = factor.failures + 1
    logger.warning("wrong code: user=%s in_a_row=%s", factor.user_id, in_a_row)
    if in_a_row % MAIL_EVERY == 0:
        notify(factor.user, "wrong_codes", count=in_a_row)


def either_code(typed: str) -> dict[str, str]:
    """For a form with one field for both kinds: the arguments of check_code."""
    is_recovery_code = re.search(r"[A-Za-z]", typed)
    return {"recovery_code": typed} if is_recovery_code else {"code": typed}


def matching_steps(secret: str, code: str) -> list[int]:
    """The steps around now of which `code` is the TOTP code; one at most, but for a coincidence."""
    typed = _IGNORED.sub("", code)
    if not _TOTP.fullmatch(typed):
        return []
    totp = pyotp.TOTP(secret)
    now = totp.timecode(timezone.now())
    steps = range(now - STEPS_AROUND, now + STEPS_AROUND + 1)
    return [step for step in steps if hmac.compare_digest(totp.generate_otp(step), typed)]


def _use_totp(factor: SecondFactor, code: str) -> bool:
    secret = open_secret(factor)
    unused = SecondFactor.objects.filter(pk=factor.pk, confirmed_at__isnull=False)
    return secret is not None and any(
        unused.filter(last_step__lt=step).update(last_step=step, failures=0)
        for step in matching_steps(secret, code)
    )


def _use_recovery_code(factor: SecondFactor, code: str) -> bool:
    secret = open_secret(factor)
    if secret is None:
        return False
    unused = RecoveryCode.objects.filter(factor=factor, used_at__isnull=True)
    if not unused.filter(digest=_digest(secret, code)).update(used_at=timezone.now()):
        return False
    SecondFactor.objects.filter(pk=factor.pk).update(failures=0)
    left = unused.count()
    logger.info("recovery code used: user=%s left=%s", factor.user_id, left)
    notify(factor.user, "recovery_code_used", left=left)
    return True


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes wrong codes that do not count any more."""
    before = timezone.now() - CODE_WINDOW
    old = WrongCode.objects.filter(pk__lt=first_id(WrongCode, "created_at", before), created_at__lt=before)
    return {"wrong codes": delete_in_batches(old, dry_run=dry_run)}


def open_secret(factor: SecondFactor) -> str | None:
    """None where no key opens it: the codes are wrong then, and the log says why."""
    try:
        return unseal(factor.secret)
    except Unopened:
        logger.error(
            "No key of AI_MESSAGE_ENCRYPTION_KEYS opens the second factor of user %s.", factor.user_id
        )
        return None


def make_recovery_codes(factor: SecondFactor, secret: str) -> list[str]:
    """Ten new codes in place of the old ones, as BCDFG-HJKLM."""
    codes = [
        "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_LENGTH))
        for _ in range(RecoveryCode.COUNT)
    ]
    RecoveryCode.objects.filter(factor=factor).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(factor=factor, digest=_digest(secret, code)) for code in codes
    )
    half = RECOVERY_LENGTH // 2
    return [f"{code[:half]}-{code[half:]}" for code in codes]


def _digest(secret: str, code: str) -> str:
    typed = _IGNORED.sub("", code).upper()
    return hmac.new(secret.encode(), f"recovery code {typed}".encode(), hashlib.sha256).hexdigest()
