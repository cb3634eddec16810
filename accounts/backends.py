"""Checking a username and a password, for the API and the admin alike."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.lockout import guessed_too_often


class AccountBackend(ModelBackend):
    """Django's own, but that a disabled user with the right password is told apart.

    Both doors then refuse him by name: the login service, and the admin's login form. A user who is
    disabled later loses his admin session with his next request.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:  # type: ignore[override]
        user = super().authenticate(request, **credentials)
        # Of many guesses in parallel the right one must not be told apart once the pair is locked.
        if request and user and guessed_too_often(request, credentials):
            request.axes_locked_out = True  # type: ignore[attr-defined]
            raise PermissionDenied
        return user

    def user_can_authenticate(self, user: Any) -> bool:
        return True

    def get_user(self, user_id: Any) -> Any:
        user = super().get_user(user_id)
        return user if user is not None and user.is_active else None
