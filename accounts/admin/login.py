"""The login form of the admin: password, second factor and lockout."""

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.backends import check_nobodys_password
from accounts.guesses import Guess, guessing
from accounts.models import User
from accounts.names import SENT_MAX_LENGTH, is_too_long
from accounts.serializers.proof import CODE_LENGTH
from accounts.services.codes import WRONG_CODE, check_code, either_code, has_second_factor
from accounts.services.sessions import remember_admin_login
from aimessage.api.guesses import LockedOut
from aimessage.api.problems import Forbidden
from aimessage.server.clients import client_address
from aimessage.server.metrics import count_login


class AdminLoginForm(AdminAuthenticationForm):
    """Django's form with a code, the limits of accounts/guesses.py, and a metric of how logins end.

    Raises LockedOut and Busy, which the site answers with a page.
    """

    code = forms.CharField(
        required=False,
        max_length=CODE_LENGTH,
        help_text="If two-factor login is on: of the authenticator app, or a recovery code.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )
    #: Why the code was refused, for the audit trail.
    refusal = ""

    def __init__(self, request: HttpRequest | None = None, *args: object, **kwargs: object) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].widget.attrs["maxlength"] = SENT_MAX_LENGTH

    def clean(self) -> dict[str, object]:
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if self.request is None or not username or not password or self.errors:
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
        if isinstance(self.user_cache, User):
            device, address = self.request.headers.get("User-Agent"), client_address(self.request)
            remember_admin_login(self.user_cache, device_info=device, ip_address=address)
        return cleaned

    def _check(self, request: HttpRequest, username: str) -> dict[str, object]:
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
            user = self.user_cache
            if isinstance(user, User) and has_second_factor(user):
                self._check_code(user, guess)
        guess.forgive()
        return cleaned

    def _check_code(self, user: User, guess: Guess) -> None:
        typed = self.cleaned_data.get("code")
        if not typed:
            self.refusal = "code_required"
            raise ValidationError("Enter the code of your authenticator app, too.", code=self.refusal)
        try:
            is_right = check_code(user, **either_code(typed))
        except Forbidden as error:
            self.refusal = "wrong_code"
            raise ValidationError(error.detail, code=error.code) from error
        if not is_right:
            self.refusal = "wrong_code"
            guess.wrong()
            raise ValidationError(str(WRONG_CODE), code=self.refusal)

    def _why_refused(self) -> str:
        if self.refusal:
            return self.refusal
        user = self.user_cache
        if user is None:
            return "wrong"
        return "not_staff" if user.is_active else "disabled"
