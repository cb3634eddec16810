from collections.abc import Callable, Mapping

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from accounts.serializers import PhoneNumberField
from aimessage.api.schema.answers import example
from aimessage.db.fields import StringField
from channels.models import Address, Channel, Delivery, LinkCode
from channels.services.addresses import Phone
from channels.services.linking import TextCode

#: Characters of a code as somebody types it.
CODE_MAX_LENGTH = 20
TIME = "2026-01-02T03:04:05.678901Z"
EXAMPLE_ADDRESS = {
    "id": 1,
    "channel": "whatsapp",
    "address": "whatsapp:+14155550100",
    "linked_at": TIME,
    "opted_out": False,
}


@example(EXAMPLE_ADDRESS)
class AddressSerializer(serializers.Serializer[Address]):
    id = serializers.IntegerField()
    channel = serializers.ChoiceField(Channel.choices)
    address = serializers.CharField(source="value", help_text="As Twilio writes it.")
    linked_at = serializers.DateTimeField()
    opted_out = serializers.BooleanField(help_text="Whether nothing is sent there, since STOP came from it.")


@example({"phone_number": "+14155550100", "verified_at": TIME, "addresses": [EXAMPLE_ADDRESS]})
class PhoneSerializer(serializers.Serializer[Phone]):
    phone_number = serializers.CharField(allow_null=True)
    verified_at = serializers.DateTimeField(
        allow_null=True, help_text="When the number was proved; null where it is only claimed."
    )
    addresses = AddressSerializer(many=True)


@example({"phone_number": "+1 415 555 0100"})
class PhoneNumberSerializer(serializers.Serializer[None]):
    phone_number = PhoneNumberField(
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="In international form; null clears it and unlinks every address.",
    )


@example({"method": "text"})
class LinkRequestSerializer(serializers.Serializer[None]):
    method = serializers.ChoiceField(
        LinkCode.Method.choices,
        help_text="`text`: a code that is to be texted to us. `sms`: one that we send to `phone_number`.",
    )
    phone_number = PhoneNumberField(required=False, allow_null=True, allow_blank=True)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if attrs["method"] == LinkCode.Method.SMS and not attrs.get("phone_number"):
            field = self.fields["phone_number"]
            raise serializers.ValidationError(
                {"phone_number": [field.error_messages["required"]]}, code="required"
            )
        return attrs


class SendToSerializer(serializers.Serializer[Mapping[str, str | None]]):
    sms = serializers.CharField(allow_null=True)
    whatsapp = serializers.CharField(allow_null=True)


@example(
    {
        "code": "LINK 4QF7-29",
        "send_to": {"sms": "+15005550006", "whatsapp": "+15005550006"},
        "expires_at": TIME,
    }
)
class TextCodeSerializer(serializers.Serializer[TextCode]):
    code = serializers.CharField(help_text="The whole text of the message.")
    send_to = SendToSerializer(help_text="Our numbers; null where there is none.")
    expires_at = serializers.DateTimeField()


EXAMPLE_SMS_CODE = {"expires_at": TIME, "resend_after": 60}


class SmsCodeSerializer(serializers.Serializer[Mapping[str, object]]):
    expires_at = serializers.DateTimeField()
    resend_after = serializers.IntegerField(help_text="Seconds until the next code can be asked for.")


@example({"code": "123456"})
class CodeSerializer(serializers.Serializer[None]):
    code = StringField(max_length=CODE_MAX_LENGTH)


def form_example(value: dict[str, str]) -> Callable[[type], type]:
    example = OpenApiExample("Example", value=value, media_type="application/x-www-form-urlencoded")
    return extend_schema_serializer(examples=[example])


class FormSerializer(serializers.Serializer[None]):
    """Describes a form of Twilio's in the API's description; inbound.py and states.py read the forms."""

    needed: list[str] = []
    optional: list[str] = []

    # Made from names, because a class body cannot declare a field called `From`.
    def get_fields(self) -> dict[str, serializers.Field]:
        names = [*self.needed, *self.optional]
        return {name: serializers.CharField(required=name in self.needed) for name in names}


@form_example(
    {
        "MessageSid": "SM0123456789abcdef0123456789abcdef",
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "From": "whatsapp:+14155550100",
        "To": "whatsapp:+15005550006",
        "Body": "Hello",
        "NumMedia": "0",
        "ProfileName": "Ann",
    }
)
class MessageFormSerializer(FormSerializer):
    needed = ["MessageSid", "From", "To", "AccountSid"]
    optional = ["Body", "NumMedia", "MessagingServiceSid", "OptOutType", "ProfileName", "ExternalUserId"]


@form_example(
    {
        "MessageSid": "SM0123456789abcdef0123456789abcdef",
        "MessageStatus": "delivered",
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "To": "+14155550100",
        "From": "+15005550006",
    }
)
class ReportFormSerializer(FormSerializer):
    needed = ["MessageSid", "MessageStatus", "AccountSid"]
    optional = ["ErrorCode", "To", "From"]


@example(
    {
        "part": 1,
        "parts": 1,
        "channel": "sms",
        "state": "delivered",
        "error_code": None,
        "error": None,
        "updated_at": TIME,
    }
)
class DeliverySerializer(serializers.Serializer[Delivery]):
    part = serializers.IntegerField()
    parts = serializers.IntegerField()
    channel = serializers.SerializerMethodField()
    state = serializers.ChoiceField(Delivery.State.choices)
    error_code = serializers.IntegerField(allow_null=True, help_text="Twilio's code.")
    error = serializers.SerializerMethodField()
    updated_at = serializers.DateTimeField(help_text="When `state` changed.")

    @extend_schema_field(serializers.ChoiceField(Channel.choices))
    def get_channel(self, delivery: Delivery) -> str:
        return str(Channel.of(delivery.thread.reply_to if delivery.thread else ""))

    def get_error(self, delivery: Delivery) -> str | None:
        return delivery.error or None
