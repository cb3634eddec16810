from rest_framework import serializers

from accounts.models import RecoveryCode
from accounts.serializers.proof import CODE_LENGTH, CodeField, ProofSerializer
from aimessage.api.schema.answers import example
from aimessage.db.fields import StringField

#: Characters of a login token; ours have 43.
TOKEN_LENGTH = 128


@example({"login_token": "x3Jq0m6n…", "code": "123456"})
class SecondStepSerializer(serializers.Serializer[None]):
    login_token = StringField(max_length=TOKEN_LENGTH)
    code = CodeField(help_text="Of the authenticator app.")
    recovery_code = CodeField(help_text="In place of `code`.")

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if not (attrs.get("code") or attrs.get("recovery_code")):
            code = self.fields["code"]
            raise serializers.ValidationError({"code": [code.error_messages["required"]]}, code="required")
        return attrs


@example({"current_password": "violet-tractor-42"})
class ProofOnlySerializer(ProofSerializer):
    pass


@example({"code": "123456"})
class ConfirmSerializer(serializers.Serializer[None]):
    code = StringField(max_length=CODE_LENGTH, help_text="Of the authenticator app.")


@example(
    {
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "uri": "otpauth://totp/AI%20Messaging:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=AI%20Messaging",
        "qr_svg": "<svg …></svg>",
    }
)
class EnrolmentSerializer(serializers.Serializer[object]):
    secret = serializers.CharField(help_text="Base32, to be typed where nothing can scan.")
    uri = serializers.CharField(help_text="What the QR code holds; opens an authenticator app on a phone.")
    qr_svg = serializers.CharField(help_text="An SVG element.")


@example({"recovery_codes": [f"BCDFG-HJKL{letter}" for letter in "BCDFGHJKLM"]})
class RecoveryCodesSerializer(serializers.Serializer[object]):
    recovery_codes = serializers.ListField(
        child=serializers.CharField(),
        min_length=RecoveryCode.COUNT,
        max_length=RecoveryCode.COUNT,
        help_text="Each works once, in place of a code. They are never shown again.",
    )


@example(
    {
        "email_verified_at": None,
        "email_pending": None,
        "has_password": True,
        "totp_since": "2026-01-02T03:04:05.678901Z",
        "recovery_codes_left": 10,
        "tokens": 0,
        "deletion_at": None,
    }
)
class SecuritySerializer(serializers.Serializer[object]):
    email_verified_at = serializers.DateTimeField(allow_null=True)
    email_pending = serializers.CharField(allow_null=True)
    has_password = serializers.BooleanField()
    totp_since = serializers.DateTimeField(allow_null=True)
    recovery_codes_left = serializers.IntegerField()
    tokens = serializers.IntegerField()
    deletion_at = serializers.DateTimeField(allow_null=True)
