"""Second factors as the tests play with them: an authenticator app, and somebody who has one."""

from typing import Any

import pyotp
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import SecondFactor, User
from accounts.services.second_factor import begin_totp, confirm_totp
from tests.factories import PASSWORD

WRONG = "000000"


class Phone:
    """An authenticator app. Every code it shows is of a later step than the one before, as if time passed."""

    def __init__(self, secret: str) -> None:
        self.totp = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        """The code of now, or of some 30-second steps later or earlier."""
        return self.totp.at(timezone.now(), counter_offset=steps)

    def wrong(self) -> str:
        """Six digits that are no code of the hour around now."""
        near = {self.code(step) for step in range(-60, 61)}
        return next(code for code in (f"{n:06}" for n in range(1000)) if code not in near)


def enrol(user: User) -> tuple[Phone, list[str]]:
    """Turns the second factor on; the codes of now and the steps around it are all unused."""
    phone = Phone(begin_totp(user).secret)
    codes = confirm_totp(user, code=phone.code(), keep=None)
    SecondFactor.objects.filter(user=user).update(last_step=-1)
    # The browsers in which a test is logged in to the admin stay so.
    User.objects.filter(pk=user.pk).update(admin_epoch=user.admin_epoch)
    return phone, codes


def log_in(client: APIClient, username: str = "alice", **more: Any) -> Any:
    return client.post("/auth/login", {"username": username, "password": PASSWORD, **more})


def login_token(client: APIClient, username: str = "alice") -> str:
    token: str = log_in(client, username).json()["login_token"]
    return token


def finish(client: APIClient, token: str, **code: Any) -> Any:
    return client.post("/auth/login/second-factor", {"login_token": token, **code})
