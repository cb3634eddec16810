from rest_framework import serializers

from accounts.names import (
    TOO_LONG,
    USERNAME_MAX_LENGTH,
    is_too_long,
    normalize_username,
    validate_not_reserved,
    validate_username,
)
from accounts.passwords import MAX_LENGTH, MIN_LENGTH, SENT_MAX_LENGTH, normalize_password
from accounts.phones import to_e164
from aimessage.db.fields import StringField
from aimessage.db.text import without_controls


class PasswordField(StringField):
    """A new password, in NFC: 8 to 128 characters, none of them trimmed."""

    def __init__(self) -> None:
        super().__init__(min_length=MIN_LENGTH, max_length=MAX_LENGTH, trim_whitespace=False)

    def to_internal_value(self, data: object) -> str:
        if isinstance(data, str) and len(data) <= SENT_MAX_LENGTH:
            data = normalize_password(data)
        return super().to_internal_value(data)


class FullNameField(StringField):
    """Removes control characters and bidirectional controls."""

    def to_internal_value(self, data: object) -> str:
        return without_controls(super().to_internal_value(data)).strip()


class PhoneNumberField(StringField):
    """A phone number in any international form, converted to E.164."""

    def to_internal_value(self, data: object) -> str:
        try:
            return to_e164(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class UsernameField(StringField):
    """A new username, in NFKC. White space is refused, not trimmed."""

    def __init__(self, *, help_text: str) -> None:
        super().__init__(
            trim_whitespace=False,
            max_length=USERNAME_MAX_LENGTH,
            validators=[validate_not_reserved, validate_username],
            help_text=help_text,
        )

    def to_internal_value(self, data: object) -> str:
        if isinstance(data, str):
            if is_too_long(data):
                raise serializers.ValidationError(TOO_LONG, code="max_length")
            data = normalize_username(data)
        return super().to_internal_value(data)
