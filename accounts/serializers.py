from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers
from rest_framework.fields import get_error_detail

from accounts.models import Session, User
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
from accounts.services.proof import CodeField, ProofSerializer
from aimessage.db.fields import EmailField, StringField
from aimessage.db.text import without_controls

EXAMPLE_USER = {
    "id": 1,
    "username": "alice",
    "email": "alice@example.org",
    "full_name": "Alice Archer",
    "bio": None,
    "phone_number": "+4930123456",
    "is_active": True,
    "is_superuser": False,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:05.678901Z",
}
EXAMPLE_TOKENS = {
    "access_token": "eyJhbGciOiJIUzI1NiIs…",
    "refresh_token": "eyJhbGciOiJIUzI1NiIs…",
    "token_type": "bearer",
}


def example(value: dict[str, Any], **where: bool) -> Any:
    """Decorates a serializer with the example that the API's description shows for it."""
    return extend_schema_serializer(examples=[OpenApiExample("Example", value=value, **where)])


class PasswordField(StringField):
    """A new password in NFC, of whose 8 to 128 characters every one counts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "min_length": MIN_LENGTH,
                "max_length": MAX_LENGTH,
                "trim_whitespace": False,
                **kwargs,
            }
        )

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str) and len(data) <= SENT_MAX_LENGTH:
            data = normalize_password(data)
        return super().to_internal_value(data)


class FullNameField(StringField):
    """A name without control characters and what turns the direction of writing."""

    def to_internal_value(self, data: Any) -> str:
        return without_controls(super().to_internal_value(data)).strip()


class PhoneNumberField(StringField):
    """A phone number in any international form, taken as E.164."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return to_e164(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class UsernameField(StringField):
    """A new username in its NFKC form. White space is refused, and not cut off: it is no part of a name."""

    def __init__(self, **kwargs: Any) -> None:
        validators = [validate_not_reserved, validate_username]
        super().__init__(
            **{
                "trim_whitespace": False,
                "max_length": USERNAME_MAX_LENGTH,
                "validators": validators,
                **kwargs,
            }
        )

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str):
            if is_too_long(data):
                raise serializers.ValidationError(TOO_LONG, code="max_length")
            data = normalize_username(data)
        return super().to_internal_value(data)


def check_new_password(field: str, password: str, user: User) -> None:
    """Raises ValidationError under `field` where Django's validators refuse the password."""
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        raise serializers.ValidationError({field: get_error_detail(error)}) from error


@example(EXAMPLE_USER)
class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "email",
            "full_name",
            "bio",
            "phone_number",
            "is_active",
            "is_superuser",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


@example(
    {
        "username": "alice",
        "email": "alice@example.org",
        "password": "violet-tractor-42",
        "full_name": "Alice Archer",
        "phone_number": "+49 30 123456",
    }
)
class RegisterSerializer(serializers.Serializer[User]):
    username = UsernameField(
        help_text="Letters, digits and @ . + - _ in Unicode NFKC; unique without regard to case.",
    )
    email = EmailField(max_length=255)
    password = PasswordField()
    full_name = FullNameField(max_length=255, required=False, allow_null=True, allow_blank=True)
    phone_number = PhoneNumberField(required=False, allow_null=True, allow_blank=True)
    invitation = StringField(
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="The code of an invitation, where the server asks for one (`GET /auth/config`).",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["invitation"] = attrs.get("invitation") or ""
        for name in ("full_name", "phone_number"):
            attrs[name] = attrs.get(name) or None
        named = {name: attrs[name] for name in ("username", "email", "full_name")}
        check_new_password("password", attrs["password"], User(**named))
        return attrs


@example({"username": "alice", "password": "violet-tractor-42"})
class LoginSerializer(serializers.Serializer[Any]):
    username = StringField()
    password = StringField(trim_whitespace=False)
    code = CodeField(help_text="Of the authenticator app, where two-factor login is on.")
    recovery_code = CodeField(help_text="In place of `code`.")


@example(EXAMPLE_TOKENS)
class TokenPairSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.ChoiceField(["bearer"], default="bearer")


@example({**EXAMPLE_TOKENS, "user": EXAMPLE_USER})
class LoginAnswerSerializer(TokenPairSerializer):
    user = UserSerializer()


@example({"refresh_token": "eyJhbGciOiJIUzI1NiIs…"})
class RefreshSerializer(serializers.Serializer[Any]):
    refresh_token = StringField(trim_whitespace=False, allow_blank=True)


@example({"refresh_token": "eyJhbGciOiJIUzI1NiIs…"})
class LogoutSerializer(serializers.Serializer[Any]):
    refresh_token = StringField(trim_whitespace=False, allow_blank=True, allow_null=True, required=False)


@example({"full_name": "Alice Archer", "bio": "Bakes.", "phone_number": "+49 30 123456"})
class ProfileSerializer(serializers.Serializer[User]):
    """The fields that a user may change; null or "" clears one."""

    full_name = FullNameField(max_length=255, required=False, allow_null=True, allow_blank=True)
    bio = StringField(max_length=20_000, required=False, allow_null=True, allow_blank=True)
    phone_number = PhoneNumberField(required=False, allow_null=True, allow_blank=True)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values: dict[str, Any] = super().to_internal_value(data)
        return {name: value or None for name, value in values.items()}


@example({"current_password": "violet-tractor-42", "new_password": "amber-kettle-77"})
class PasswordSerializer(ProofSerializer):
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_new_password("new_password", attrs["new_password"], self.context["request"].user)
        return attrs


@example(
    {
        "id": 7,
        "user_id": 1,
        "device_info": "Mozilla/5.0 (X11; Linux x86_64)",
        "ip_address": "192.0.2.7",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "last_used_at": "2026-01-02T03:04:05.678901Z",
        "expires_at": "2026-01-09T03:04:05.678901Z",
        "is_active": True,
        "is_current": True,
    }
)
class SessionSerializer(serializers.ModelSerializer[Session]):
    user_id = serializers.IntegerField(read_only=True)
    is_current = serializers.BooleanField(read_only=True)

    class Meta:
        model = Session
        fields = [
            "id",
            "user_id",
            "device_info",
            "ip_address",
            "created_at",
            "last_used_at",
            "expires_at",
            "is_active",
            "is_current",
        ]
        read_only_fields = fields


class AnswerSerializer(serializers.Serializer[Any]):
    """One sentence that says what was done."""

    message = serializers.CharField()


def answer(message: str) -> OpenApiResponse:
    """That sentence, for the API's description."""
    return OpenApiResponse(AnswerSerializer, examples=[OpenApiExample("Answer", value={"message": message})])


@example({"ticket": "q7J0u2cXw1…", "expires_in": 60})
class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField()
