"""Checks username and password, for the API and the admin."""

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.http import HttpRequest

from accounts.models import User
from accounts.names import is_too_long


def check_nobodys_password(password: str) -> None:
    """Takes as long as a wrong password does, so that response time does not tell which names exist."""
    User(password=UNUSABLE_PASSWORD_PREFIX).check_password(password)


class AccountBackend(ModelBackend):
    """Unlike Django's, `authenticate` also returns disabled users, so that callers can tell them so.

    `get_user` does not, so a user who is disabled later loses their admin session with the next request.
    """

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str = "", password: str = "", **kwargs: object
    ) -> User | None:
        return _find(username, password)

    def get_user(self, user_id: object) -> User | None:
        return User.objects.active().persons().filter(pk=user_id).first()


def _find(username: str, password: str) -> User | None:
    user = None if is_too_long(username) else User.objects.persons().named(username).first()
    if user is None:
        check_nobodys_password(password)
        return None
    return user if user.check_password(password) else None
