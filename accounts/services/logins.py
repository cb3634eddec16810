"""Checks logins: username and password, and the code of the second factor if it is on."""

from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import authenticate, user_logged_in
from django.http import HttpRequest

from accounts.backends import check_nobodys_password
from accounts.guesses import Guess, guessing
from accounts.models import User
from accounts.names import is_too_long
from accounts.services.codes import WRONG_CODE, check_code, has_second_factor
from accounts.services.leaving import find_pending, pending_sentence
from accounts.services.pending_logins import SecondFactorRequired, begin_second_step, find_second_step
from accounts.services.sessions import WRONG_CREDENTIALS
from aimessage.api.guesses import LockedOut
from aimessage.api.problems import Forbidden, Reason, Unauthenticated
from aimessage.server.metrics import count_login

ACCOUNT_DISABLED = Reason("User is disabled", "account_disabled")
EMAIL_UNVERIFIED = Reason("E-mail address not verified", "email_unverified")


class Checked(NamedTuple):
    user: User
    #: The account had no second factor when the password was checked.
    by_password_alone: bool


def check_credentials(
    request: HttpRequest,
    *,
    username: str,
    password: str,
    code: str | None = None,
    recovery_code: str | None = None,
) -> Checked:
    """Returns the user with that name and password.

    Raises Unauthenticated for an unknown name, a wrong password (both look alike) or a wrong code; Forbidden
    if the account is disabled, about to be deleted or unverified; SecondFactorRequired if a code is missing;
    LockedOut while the username is locked out for this address, or after too many wrong codes; Busy if too
    many passwords wait to be checked.
    """
    if is_too_long(username):  # no account has it, so there is nothing to look up or to count
        check_nobodys_password(password)
        count_login("api", "wrong")
        raise Unauthenticated(WRONG_CREDENTIALS)
    try:
        with guessing(request, username) as guess:
            user = authenticate(request, username=username, password=password)
            if not isinstance(user, User):
                guess.wrong()
                count_login("api", "wrong")
                raise Unauthenticated(WRONG_CREDENTIALS)
            guess.right()
            _refuse_disabled_or_unverified(user)
            by_password_alone = not has_second_factor(user)
            if not by_password_alone:
                _require_code(user, code or recovery_code)
                _check_code(user, guess, code, recovery_code)
    except LockedOut:
        count_login("api", "locked")
        raise
    guess.forgive()
    user_logged_in.send(sender=User, request=request, user=user)
    return Checked(user, by_password_alone)


def _refuse_disabled_or_unverified(user: User) -> None:
    if not user.is_active:
        count_login("api", "disabled")
    refuse_disabled(user)
    if settings.EMAIL_VERIFICATION == "required" and user.email_verified_at is None:
        count_login("api", "unverified")
        raise Forbidden(EMAIL_UNVERIFIED)


def _require_code(user: User, code: str | None) -> None:
    if not code:
        count_login("api", "code_required")
        raise SecondFactorRequired(begin_second_step(user))


def refuse_disabled(user: User) -> None:
    """Raises Forbidden if the account is disabled, and says so if its owner is deleting it."""
    if user.is_active:
        return
    pending = find_pending(user)
    raise Forbidden(pending_sentence(pending) if pending else ACCOUNT_DISABLED)


def check_second_step(
    request: HttpRequest, *, login_token: str, code: str | None = None, recovery_code: str | None = None
) -> User:
    """Uses up a login token and a code, and returns the user.

    Raises Unauthenticated for an invalid token or code, LockedOut and Forbidden after too many wrong codes,
    and Busy.
    """
    step = find_second_step(login_token)
    try:
        with guessing(request, step.user.username) as guess, step.trying():
            _check_code(step.user, guess, code, recovery_code)
            guess.right()
            step.use()
    except LockedOut:
        count_login("api", "locked")
        raise
    guess.forgive()
    user_logged_in.send(sender=User, request=request, user=step.user)
    return step.user


def _check_code(user: User, guess: Guess, code: str | None, recovery_code: str | None) -> None:
    if not check_code(user, code=code, recovery_code=recovery_code):
        guess.wrong()
        count_login("api", "wrong_code")
        raise Unauthenticated(WRONG_CODE)
