"""The admin's door."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.backends import check_nobodys_password
from accounts.guesses import guessing
from accounts.names import SENT_MAX_LENGTH, is_too_long
from aimessage.api.guesses import LockedOut
from aimessage.server.metrics import count_login


class AdminLoginForm(AdminAuthenticationForm):
    """Django's own, under the guard of accounts/guesses.py; it also counts how logins end.

    Raises LockedOut and Busy, to which the site answers with a page.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs["maxlength"] = SENT_MAX_LENGTH

    def clean(self) -> dict[str, Any]:
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if self.request is None or not username or not password:
            return super().clean()  # which checks nothing
        if is_too_long(username):
            check_nobodys_password(password)
            count_login("admin", "wrong")
            raise self.get_invalid_login_error()
        try:
            cleaned = self._check(self.request, username)
        except LockedOut:
            count_login("admin", "locked")
            raise
        except ValidationError:
            count_login("admin", self._why_refused())
            raise
        count_login("admin", "success")
        return cleaned

    def _check(self, request: HttpRequest, username: str) -> dict[str, Any]:
        with guessing(request, username) as guess:
            try:
                cleaned = super().clean()
            except ValidationError:
                if self.user_cache is None:
                    guess.wrong()
                else:
                    guess.right()
                raise
            guess.right()
        guess.forgive()
        return cleaned

    def _why_refused(self) -> str:
        user = self.user_cache
        if user is None:
            return "wrong"
        return "not_staff" if user.is_active else "disabled"
