from typing import NotRequired, TypedDict

from rest_framework import serializers

from accounts.models import User
from accounts.passwords import check_new_password
from accounts.serializers.fields import (
    FullNameField,
    PasswordField,
    PhoneNumberField,
    UsernameField,
)
from accounts.serializers.proof import CodeField, ProofSerializer
from aimessage.api.schema.answers import example
from aimessage.api.serializers import RowModelSerializer
from aimessage.db.fields import EmailField, StringField

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


@example(EXAMPLE_USER)
class UserSerializer(RowModelSerializer):
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


class Registration(TypedDict):
    username: str
    email: str
    password: str
    full_name: NotRequired[str | None]
    phone_number: NotRequired[str | None]
    invitation: NotRequired[str | None]


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

    def validate(self, attrs: Registration) -> Registration:
        attrs["invitation"] = attrs.get("invitation") or ""
        attrs["full_name"] = attrs.get("full_name") or None
        attrs["phone_number"] = attrs.get("phone_number") or None
        user = User(username=attrs["username"], email=attrs["email"], full_name=attrs["full_name"])
        check_new_password("password", attrs["password"], user)
        return attrs


@example({"username": "alice", "password": "violet-tractor-42"})
class LoginSerializer(serializers.Serializer[None]):
    username = StringField()
    password = StringField(trim_whitespace=False)
    code = CodeField(help_text="Of the authenticator app, where two-factor login is on.")
    recovery_code = CodeField(help_text="In place of `code`.")


@example(EXAMPLE_TOKENS)
class TokenPairSerializer(serializers.Serializer[object]):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.ChoiceField(["bearer"], default="bearer")


@example({**EXAMPLE_TOKENS, "user": EXAMPLE_USER})
class LoginAnswerSerializer(TokenPairSerializer):
    user = UserSerializer()


@example({"refresh_token": "eyJhbGciOiJIUzI1NiIs…"})
class RefreshSerializer(serializers.Serializer[None]):
    refresh_token = StringField(trim_whitespace=False, allow_blank=True)


@example({"refresh_token": "eyJhbGciOiJIUzI1NiIs…"})
class LogoutSerializer(serializers.Serializer[None]):
    refresh_token = StringField(trim_whitespace=False, allow_blank=True, allow_null=True, required=False)


@example({"full_name": "Alice Archer", "bio": "Bakes.", "phone_number": "+49 30 123456"})
class ProfileSerializer(serializers.Serializer[User]):
    """The fields that a user may change; null or "" clears one."""

    full_name = FullNameField(max_length=255, required=False, allow_null=True, allow_blank=True)
    bio = StringField(max_length=20_000, required=False, allow_null=True, allow_blank=True)
    phone_number = PhoneNumberField(required=False, allow_null=True, allow_blank=True)

    def to_internal_value(self, data: object) -> dict[str, object]:
        values: dict[str, object] = super().to_internal_value(data)
        return {name: value or None for name, value in values.items()}


class PasswordChange(TypedDict):
    new_password: str


@example({"current_password": "violet-tractor-42", "new_password": "amber-kettle-77"})
class PasswordSerializer(ProofSerializer):
    new_password = PasswordField()

    def validate(self, attrs: PasswordChange) -> PasswordChange:
        check_new_password("new_password", attrs["new_password"], self.context["request"].user)
        return attrs
