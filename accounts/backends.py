"""Checking a username and a password, for the API and the admin alike."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser


class AccountBackend(ModelBackend):
    """Django's own, but that a disabled user with the right password is told apart.

    Both doors then refuse him by name: the login service, and the admin's login form. A user who is
    disabled later loses his admin session with his next request.
    """

    def user_can_authenticate(self, user: Any) -> bool:
        return True

    def get_user(self, user_id: Any) -> AbstractBaseUser | None:
        user = super().get_user(user_id)
        return user if user is not None and user.is_active else None
