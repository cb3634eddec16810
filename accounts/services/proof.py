"""Proof that a request comes from the account's owner, and not from whoever found a session open."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from accounts.guesses import guessing
from accounts.models import Session, User
from accounts.services.codes import WRONG_CODE, check_code, has_second_factor
from aimessage.api.problems import Forbidden, Invalid, Reason
from aimessage.db.fields import StringField

WRONG_PASSWORD = Reason("Current password is incorrect", "wrong_password", field="current_password")
LOG_IN_FIRST = Reason("Log in again first", "session_required")

#: How young the session of an account without a password has to be.
FRESH = timedelta(minutes=10)
#: Characters of a code as it may be typed.
CODE_LENGTH = 64


class CodeField(StringField):
    """A code, or none: null and "" are as good as leaving it out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "max_length": CODE_LENGTH,
                "required": False,
                "allow_null": True,
                "allow_blank": True,
                **kwargs,
            }
        )


class ProofSerializer(serializers.Serializer[Any]):
    """What an operation that needs proof takes besides its own fields."""

    current_password = StringField(
        trim_whitespace=False,
        allow_blank=True,
        help_text="An account without a password leaves it out; its session must be younger than 10 minutes.",
    )
    code = CodeField(help_text="Of the authenticator app, where two-factor login is on.")
    recovery_code = CodeField(help_text="In place of `code`.")

    def get_fields(self) -> Any:
        fields = super().get_fields()
        request = self.context.get("request")
        if request is not None and isinstance(request.user, User) and not request.user.has_usable_password():
            fields["current_password"].required = False
        return fields


def check_proof(
    request: Request,
    *,
    current_password: str | None = None,
    code: str | None = None,
    recovery_code: str | None = None,
) -> None:
    """Raises Invalid for a wrong password or code, each of which is a wrong guess; LockedOut; Busy;
    Forbidden for an account without a password whose session is older than FRESH."""
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
    """As check_proof, around what follows from it, which may hash a password without another wait."""
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
    """The same for both doors; the admin has no `session` of the API's."""
    user.refresh_from_db(fields=["password"])
    if not user.has_usable_password():
        if not isinstance(session, Session) or timezone.now() - session.created_at > FRESH:
            raise Forbidden(LOG_IN_FIRST)
        yield
        return
    with guessing(request, user.username) as guess:
        if not user.check_password(current_password or ""):
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
