from django.conf import settings
from rest_framework import serializers

from accounts.models import PersonalToken
from accounts.serializers.proof import ProofSerializer
from aimessage.api.schema.answers import example
from aimessage.api.scopes import Scope
from aimessage.db.fields import VisibleField, WholeNumberField

#: Ten years.
MAX_DAYS = 3650
EXAMPLE_TOKEN = {
    "id": 3,
    "name": "Backup",
    "prefix": "aim_7Qx2Lp",
    "scopes": ["messages:read"],
    "created_at": "2026-01-02T03:04:05.678901Z",
    "expires_at": "2026-04-02T03:04:05.678901Z",
    "last_used_at": None,
}


class ScopesField(serializers.ListField):
    """One or more scopes, each once."""

    default_error_messages = {"repeated": "Name each scope once."}

    def __init__(self, *, read_only: bool = False) -> None:
        child = serializers.ChoiceField([(scope.value, scope.value) for scope in Scope])
        super().__init__(child=child, min_length=1, max_length=len(Scope), read_only=read_only)

    def to_internal_value(self, data: list[object]) -> list[str]:
        scopes: list[str] = super().to_internal_value(data)
        if len(set(scopes)) < len(scopes):
            self.fail("repeated")
        return scopes


@example(EXAMPLE_TOKEN)
class TokenSerializer(serializers.ModelSerializer[PersonalToken]):
    scopes = ScopesField(read_only=True)

    class Meta:
        model = PersonalToken
        fields = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields


@example({**EXAMPLE_TOKEN, "token": "aim_7Qx2LpYc0…"})
class NewTokenSerializer(TokenSerializer):
    token = serializers.CharField(read_only=True, help_text="Shown this once.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields


@example(
    {
        "name": "Backup",
        "scopes": ["messages:read"],
        "expires_in_days": 90,
        "current_password": "violet-tractor-42",
    }
)
class TokenRequestSerializer(ProofSerializer):
    name = VisibleField(max_length=100)
    scopes = ScopesField()
    expires_in_days = WholeNumberField(
        min_value=1,
        max_value=MAX_DAYS,
        required=False,
        allow_null=True,
        help_text="null for a token that does not expire, where the server allows that.",
    )

    def validate_expires_in_days(self, days: int | None) -> int | None:
        longest: int = settings.TOKEN_MAX_DAYS
        if longest and days is not None and days > longest:
            raise serializers.ValidationError(f"A token lives {longest} days at most.", code="max_value")
        return days

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        attrs["expires_in_days"] = attrs.get("expires_in_days") or settings.TOKEN_MAX_DAYS or None
        return attrs
