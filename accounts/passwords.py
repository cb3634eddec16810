"""Passwords are compared in Unicode's NFC, because keyboards encode an é in different ways."""

from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from rest_framework.exceptions import ValidationError as ApiValidationError
from rest_framework.fields import get_error_detail

from aimessage.db.text import normalize

if TYPE_CHECKING:
    from accounts.models import User

MIN_LENGTH = 8
MAX_LENGTH = 128
#: Longest password that is looked at. One character in NFC is at most four in NFD.
SENT_MAX_LENGTH = 4 * MAX_LENGTH


def normalize_password(password: str) -> str:
    # Nobody can have a longer password, so it is not worth the work.
    return password if len(password) > SENT_MAX_LENGTH else normalize("NFC", password)


def accepted_forms(password: str) -> list[str]:
    """The forms that may have been hashed: NFC, and the text as sent, from before NFC was the rule."""
    return list(dict.fromkeys([normalize_password(password), password]))


def check_new_password(field: str, password: str, user: "User") -> None:
    """Raises ValidationError for `field` if Django's validators refuse the password."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ApiValidationError({field: get_error_detail(error)}) from error


class MaximumLengthValidator:
    """For the admin and `createsuperuser`, where the form fields have no maximum."""

    def validate(self, password: str, user: object = None) -> None:
        if len(normalize_password(password)) > MAX_LENGTH:
            raise ValidationError(self.get_help_text(), code="password_too_long")

    def get_help_text(self) -> str:
        return f"Your password can't have more than {MAX_LENGTH} characters."
