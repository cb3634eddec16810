from rest_framework import serializers

from accounts.models import User
from aimessage.db.fields import StringField

#: Characters of a code as typed.
CODE_LENGTH = 64


class CodeField(StringField):
    """An optional code; null and "" mean that it is left out."""

    def __init__(self, *, help_text: str) -> None:
        super().__init__(
            max_length=CODE_LENGTH, required=False, allow_null=True, allow_blank=True, help_text=help_text
        )


class ProofSerializer(serializers.Serializer[None]):
    """What an operation that needs proof takes besides its own fields."""

    current_password = StringField(
        trim_whitespace=False,
        allow_blank=True,
        help_text="An account without a password leaves it out; its session must be younger than 10 minutes.",
    )
    code = CodeField(help_text="Of the authenticator app, where two-factor login is on.")
    recovery_code = CodeField(help_text="In place of `code`.")

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        request = self.context.get("request")
        if request is not None and isinstance(request.user, User) and not request.user.has_usable_password():
            fields["current_password"].required = False
        return fields
