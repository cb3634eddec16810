"""The admin's forms about users. Saving calls a service."""

from django import forms
from django.contrib.auth import forms as auth_forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.models import Role, User
from accounts.serializers.proof import CODE_LENGTH
from accounts.services.codes import either_code, has_second_factor
from accounts.services.proof import proving_as
from accounts.services.users import set_password
from aimessage.api.problems import Forbidden, Invalid
from aimessage.backoffice.lists import IdChoiceField
from aimessage.backoffice.site import OwnPasswordForm as OwnPasswordBaseForm

ROLE_HELP = "A role that allows anything opens the admin."


class UserCreationForm(auth_forms.UserCreationForm):
    class Meta:
        model = User
        fields = ["username", "email", "full_name", "phone_number", "is_superuser", "groups"]


class UserForm(auth_forms.UserChangeForm):
    """Saves only the fields that were changed on the page, and so keeps what others changed meanwhile."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        if "username" in self.fields and self["username"].value() == self.instance.username:
            self.fields["username"].validators = []
        for name, field in self.fields.items():
            field.show_hidden_initial = name != "password"
        if "is_active" in self.fields:
            self.fields[
                "is_active"
            ].help_text = "Whoever is not active cannot log in. Unticked, it also ends every session."

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        works_here = cleaned.get("is_superuser") or cleaned.get("groups")
        if works_here and self.instance.kind != User.Kind.PERSON:
            raise ValidationError("Only a person can be a superuser or hold a role.", code="no_person")
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        # An existing account may keep a name that new accounts cannot have.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded if "username" in self.changed_data else {*excluded, "username"}


class PasswordForm(auth_forms.AdminPasswordChangeForm):
    # Django's text is about LDAP. Django's script shows the warning if it applies.
    usable_password_help_text = (
        "An account without a password is opened by your own backend's assertions alone."  # noqa: S105
        '<ul id="id_unusable_warning" class="messagelist"><li class="warning">'
        "If disabled, the present password of this user is lost.</li></ul>"
    )

    def save(self, commit: bool = True) -> User:
        set_password(self.user, self.cleaned_data["password1"])
        user: User = self.user
        return user


class OwnPasswordForm(OwnPasswordBaseForm):
    """Changes the user's own password. Ends every API session; the admin session goes on.

    Raises LockedOut and Busy, which the site answers with a page.
    """

    def __init__(self, user: User, *args: object, request: HttpRequest, **kwargs: object) -> None:
        super().__init__(user, *args, request=request, **kwargs)
        if has_second_factor(self.user):
            self.fields["code"] = forms.CharField(
                max_length=CODE_LENGTH,
                help_text="Of your authenticator app, or a recovery code.",
                widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
            )

    def clean_old_password(self) -> str:
        # Checks the code as well, and uses it up only if both are right.
        old: str = self.cleaned_data["old_password"]
        code = either_code(self.data.get("code", "")[:CODE_LENGTH])
        proof = {"code": None, "recovery_code": None, **code}
        try:
            with proving_as(self.user, self.request, current_password=old, **proof):
                pass
        except Invalid as error:
            if error.field == "code":
                raise ValidationError(error.detail, code="wrong_code") from error
            raise ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            ) from error
        except Forbidden as error:
            raise ValidationError(error.detail, code=error.code) from error
        return old

    def save(self, commit: bool = True) -> User:
        set_password(self.user, self.cleaned_data["new_password1"], expected=self.user.password)
        user: User = self.user
        return user


class RoleForm(forms.Form):
    role = IdChoiceField(Role.objects.all(), help_text=ROLE_HELP)
