"""The admin's door."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from accounts.lockout import one_guess_at_a_time
from aimessage.server.metrics import count_login


class AdminLoginForm(AdminAuthenticationForm):
    """Django's own, which counts how logins end, and checks one password of a pair at a time."""

    def clean(self) -> dict[str, Any]:
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
