"""Checks the codes of a second factor, and limits how many may be tried.

One conditional UPDATE uses a right code up; its row count is the answer. The limits count per user, from all
addresses together, because only somebody who knows the password gets this far.
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

#: After so many wrong codes of one user within CODE_WINDOW, no code is checked.
MAX_WRONG_CODES = 10
CODE_WINDOW = timedelta(minutes=15)
#: After so many wrong codes in a row only a password reset helps (NIST SP 800-63B-4 allows 100).
MAX_WRONG_IN_A_ROW = 50
#: The user gets a mail at every tenth wrong code in a row.
MAIL_EVERY = 10
#: Time steps before and after the current one that also count, because clocks differ (RFC 6238, 5.2).
STEPS_AROUND = 1

#: No vowels, so that no words appear, and no letters that look alike (RFC 8628, 6.1).
RECOVERY_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
RECOVERY_LENGTH = 10

_TOTP = re.compile(r"[0-9]{6}")
_IGNORED = re.compile(r"[\s-]")

logger = logging.getLogger("auth")


def has_second_factor(user: User) -> bool:
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def check_code(user: User, *, code: str | None = None, recovery_code: str | None = None) -> bool:
    """Returns True and uses the code up if it is right; otherwise counts a wrong code.

    Raises LockedOut after MAX_WRONG_CODES, and Forbidden after MAX_WRONG_IN_A_ROW.
    """
    with transaction.atomic():
        # The lock checks the codes for one user one by one. Without it, parallel guesses would all be checked
        # before any of them is counted.
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
    """Raises LockedOut while the user has MAX_WRONG_CODES wrong codes within CODE_WINDOW."""
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
    # Not towards MAX_WRONG_IN_A_ROW, which a factor counts once it is on.
    WrongCode.objects.create(user=user)


def _count_wrong(factor: SecondFactor) -> None:
    count_wrong_code(factor.user)
    SecondFactor.objects.filter(pk=factor.pk).update(failures=F("failures") + 1)
    in_a_row = factor.failures + 1
    logger.warning("wrong code: user=%s in_a_row=%s", factor.user_id, in_a_row)
    if in_a_row % MAIL_EVERY == 0:
        notify(factor.user, "wrong_codes", count=in_a_row)


def either_code(typed: str) -> dict[str, str]:
    """Turns the one code field of a form into the arguments of check_code."""
    is_recovery_code = re.search(r"[A-Za-z]", typed)
    return {"recovery_code": typed} if is_recovery_code else {"code": typed}


def matching_steps(secret: str, code: str) -> list[int]:
    """The time steps around now that have this TOTP code. More than one only by coincidence."""
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
    before = timezone.now() - CODE_WINDOW
    old = WrongCode.objects.filter(pk__lt=first_id(WrongCode, "created_at", before), created_at__lt=before)
    return {"wrong codes": delete_in_batches(old, dry_run=dry_run)}


def open_secret(factor: SecondFactor) -> str | None:
    # Without the secret every code is wrong, and the log says why.
    try:
        return unseal(factor.secret)
    except Unopened:
        logger.error(
            "No key of AI_MESSAGE_ENCRYPTION_KEYS opens the second factor of user %s.", factor.user_id
        )
        return None


def make_recovery_codes(factor: SecondFactor, secret: str) -> list[str]:
    """Replaces the recovery codes by RecoveryCode.COUNT new ones, written as BCDFG-HJKLM."""
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
