from rest_framework import serializers

from accounts.serializers import PasswordField
from accounts.serializers.proof import ProofSerializer
from aimessage.api.schema.answers import example
from aimessage.db.fields import EmailField, StringField


class OptionalField(StringField):
    def __init__(self, *, help_text: str | None = None) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, help_text=help_text)


@example({"email": "alice@example.org"})
class AddressSerializer(serializers.Serializer[None]):
    email = EmailField(max_length=255)


class SecretSerializer(serializers.Serializer[None]):
    """What a mail carries: the token of its link, or its code together with the address."""

    token = OptionalField()
    email = OptionalField()
    code = OptionalField(help_text="Case, blanks and dashes do not count.")


@example({"email": "alice@example.org", "code": "WDJB-MJHT"})
class VerifySerializer(SecretSerializer):
    pass


@example({"token": "q7J0u2cXw1…", "new_password": "amber-kettle-77"})
class ResetSerializer(SecretSerializer):
    new_password = PasswordField()


class UndoSerializer(serializers.Serializer[None]):
    """For the page behind the link. The API takes a password in place of the token, too."""

    token = StringField(allow_blank=True, trim_whitespace=False)


@example({"email": "alice@example.net", "current_password": "violet-tractor-42"})
class NewAddressSerializer(ProofSerializer):
    email = EmailField(max_length=255)


class AddressAnswerSerializer(serializers.Serializer[None]):
    message = serializers.CharField()
    email_pending = serializers.CharField(allow_null=True)
