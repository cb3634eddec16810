"""Checking a username and a password, for the API and the admin alike."""

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.http import HttpRequest

from accounts.models import User
from accounts.names import is_too_long


def check_nobodys_password(password: str) -> None:
    """Takes as long as a wrong password for an account that exists, with as many hashes."""
    User(password=UNUSABLE_PASSWORD_PREFIX).check_password(password)


class AccountBackend(ModelBackend):
    """Django's own, but that a disabled user with the right password is told apart.

    Both doors then refuse him by name: the login service, and the admin's login form. A user who is
    disabled later loses his admin session with his next request.
    """

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str = "", password: str = "", **kwargs: object
    ) -> User | None:
        return _find(username, password)

    def get_user(self, user_id: object) -> User | None:
        return User.objects.active().persons().filter(pk=user_id).first()


def _find(username: str, password: str) -> User | None:
    """The person of that name, where the password is right."""
    user = None if is_too_long(username) else User.objects.persons().named(username).first()
    if user is None:
        check_nobodys_password(password)
        return None
    return user if user.check_password(password) else None
