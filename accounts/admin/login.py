"""The admin's door."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from accounts.backends import check_nobodys_password
from accounts.lockout import one_guess_at_a_time
from accounts.names import SENT_MAX_LENGTH, is_too_long
from aimessage.server.metrics import count_login


class AdminLoginForm(AdminAuthenticationForm):
    """Django's own, which counts how logins end, and checks one password of a pair at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs["maxlength"] = SENT_MAX_LENGTH

    def clean(self) -> dict[str, Any]:
        username, password = self.cleaned_data.get("username", ""), self.cleaned_data.get("password")
        if is_too_long(username) and password:
            check_nobodys_password(password)
            count_login("admin", "wrong")
            raise self.get_invalid_login_error()
        try:
            with one_guess_at_a_time(self.request, self.cleaned_data):
                cleaned = super().clean()
        except ValidationError:
            count_login("admin", self._why_refused())
            raise
        # None where a field was left empty, and nobody was asked for.
        if self.user_cache is not None:
            count_login("admin", "success")
        return cleaned

    def _why_refused(self) -> str:
        if getattr(self.request, "axes_locked_out", False):
            return "locked"
        user = self.user_cache
        if user is None:
            return "wrong"
        return "not_staff" if user.is_active else "disabled"
