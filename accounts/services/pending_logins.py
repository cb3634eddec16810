"""Logins with the right password that still wait for a code of the second factor."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import PendingLogin, User
from accounts.tokens import digest
from aimessage.api.guesses import LockedOut
from aimessage.api.problems import Forbidden, Reason, Unauthenticated
from aimessage.db.batches import delete_in_batches

LOG_IN_AGAIN = Reason("Log in again", "invalid_token")

#: How long a login token works, and how many wrong codes it allows.
LIFETIME = timedelta(minutes=5)
MAX_WRONG_CODES = 5
TOKEN_BYTES = 32

SECOND_FACTOR_REQUIRED = Reason(
    "Two-factor code required",
    "second_factor_required",
    members={
        "login_token": "x3Jq0m6n…",
        "expires_in": int(LIFETIME.total_seconds()),
        "methods": ["totp", "recovery_code"],
    },
)


class SecondFactorRequired(Forbidden):
    """The password is right, and a code must follow."""

    def __init__(self, login_token: str) -> None:
        super().__init__(SECOND_FACTOR_REQUIRED)
        self.login_token = login_token

    @property
    def members(self) -> dict[str, object]:
        return {**SECOND_FACTOR_REQUIRED.members, "login_token": self.login_token}


def begin_second_step(user: User) -> str:
    """Returns a login token for `user`. The caller has just checked the password."""
    now = timezone.now()
    PendingLogin.objects.filter(user=user, expires_at__lte=now).delete()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    PendingLogin.objects.create(
        user=user, token=digest(token), password=digest(user.password), expires_at=now + LIFETIME
    )
    return token


@dataclass(frozen=True)
class SecondStep:
    row: PendingLogin

    @property
    def user(self) -> User:
        return self.row.user

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Wraps the check of a code. It counts first, so parallel requests get no more than MAX_WRONG_CODES.

        Raises Unauthenticated if the token has no tries left.
        """
        if not _live().filter(pk=self.row.pk).update(failures=F("failures") + 1):
            raise Unauthenticated(LOG_IN_AGAIN)
        try:
            yield
        except (LockedOut, Forbidden):  # the code was not checked
            PendingLogin.objects.filter(pk=self.row.pk).update(failures=F("failures") - 1)
            raise

    def use(self) -> None:
        """Raises Unauthenticated if another request used the token first, or its login was ended."""
        deleted, _ = PendingLogin.objects.filter(pk=self.row.pk).delete()
        if not deleted:
            raise Unauthenticated(LOG_IN_AGAIN)


def find_second_step(token: str) -> SecondStep:
    """Raises Unauthenticated if the token is unknown, used, expired or out of tries, or if the password was
    changed or the account disabled since."""
    row = _live().select_related("user").filter(token=digest(token)).first()
    if row is None or not row.user.is_active or row.password != digest(row.user.password):
        raise Unauthenticated(LOG_IN_AGAIN)
    return SecondStep(row)


def _live() -> QuerySet[PendingLogin]:
    return PendingLogin.objects.filter(expires_at__gt=timezone.now(), failures__lt=MAX_WRONG_CODES)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    expired = PendingLogin.objects.filter(expires_at__lte=timezone.now())
    return {"half-finished logins": delete_in_batches(expired, dry_run=dry_run)}
