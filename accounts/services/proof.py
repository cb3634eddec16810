"""Asks for password and code again before a grave act: an open session alone does not prove who is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from accounts.guesses import guessing
from accounts.models import Session, User
from accounts.services.codes import WRONG_CODE, check_code, has_second_factor
from aimessage.api.problems import Forbidden, Invalid, Reason

WRONG_PASSWORD = Reason("Current password is incorrect", "wrong_password", field="current_password")
LOG_IN_FIRST = Reason("Log in again first", "session_required")

#: For an account without a password: the proof is a session younger than this.
FRESH = timedelta(minutes=10)


def check_proof(
    request: Request,
    *,
    current_password: str | None = None,
    code: str | None = None,
    recovery_code: str | None = None,
) -> None:
    """Raises Invalid for a wrong password or code, and counts it as a wrong guess; LockedOut; Busy; Forbidden
    for an account without a password if the session is older than FRESH."""
    with proving(request, current_password=current_password, code=code, recovery_code=recovery_code):
        pass


@contextmanager
def proving(
    request: Request,
    *,
    current_password: str | None = None,
    code: str | None = None,
    recovery_code: str | None = None,
) -> Iterator[None]:
    """Like check_proof, for a block that hashes a password: it keeps the turn in the hashing queue."""
    user: User = request.user  # type: ignore[assignment]
    proof = {"current_password": current_password, "code": code, "recovery_code": recovery_code}
    with proving_as(user, request._request, session=request.auth, **proof):
        yield


@contextmanager
def proving_as(
    user: User,
    request: HttpRequest,
    *,
    session: object = None,
    current_password: str | None,
    code: str | None,
    recovery_code: str | None,
) -> Iterator[None]:
    """Like proving, for the admin as well, which has no API `session`."""
    user.refresh_from_db(fields=["password"])
    has_password = user.has_usable_password()
    if not has_password and not _is_fresh(session):
        raise Forbidden(LOG_IN_FIRST)
    with guessing(request, user.username) as guess:
        if has_password and not user.check_password(current_password or ""):
            guess.wrong()
            raise Invalid(WRONG_PASSWORD)
        guess.right()
        if has_second_factor(user) and not (
            (code or recovery_code) and check_code(user, code=code, recovery_code=recovery_code)
        ):
            guess.wrong()
            raise Invalid(WRONG_CODE)
        guess.forgive()
        yield


def _is_fresh(session: object) -> bool:
    return isinstance(session, Session) and timezone.now() - session.created_at <= FRESH
