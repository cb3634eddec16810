from rest_framework import serializers

from accounts.serializers.proof import ProofSerializer
from aimessage.api.problems import Reason
from aimessage.api.schema.answers import AnswerSerializer, example
from aimessage.db.fields import StringField

REQUIRED = Reason("This field is required.", "required")
_PROOF = {"current_password": "violet-tractor-42"}


@example(_PROOF)
class ExportSerializer(ProofSerializer):
    pass


@example({**_PROOF, "messages": "erase"})
class DeletionSerializer(ProofSerializer):
    messages = serializers.ChoiceField(
        ["keep", "erase"],
        default="keep",
        help_text="Whether those who received your messages keep them, under no name.",
    )


class DeletionAnswerSerializer(AnswerSerializer):
    deletion_at = serializers.DateTimeField()


@example({"username": "alice", "password": "violet-tractor-42"})
class CancellationSerializer(serializers.Serializer[None]):
    token = StringField(
        required=False,
        trim_whitespace=False,
        allow_blank=True,
        allow_null=True,
        help_text="From the mail. Nothing else is needed with it.",
    )
    username = StringField(required=False, allow_null=True)
    password = StringField(required=False, allow_null=True, trim_whitespace=False)
    code = StringField(required=False, allow_null=True, allow_blank=True)
    recovery_code = StringField(required=False, allow_null=True, allow_blank=True)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        sent = {name: value for name, value in attrs.items() if value is not None}
        missing = [name for name in ("username", "password") if name not in sent]
        if missing and "token" not in sent:
            raise serializers.ValidationError({name: [REQUIRED] for name in missing})
        return sent
