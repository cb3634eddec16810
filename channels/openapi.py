from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from accounts.serializers import UserSerializer
from accounts.services.users import TAKEN
from aimessage.api.problems import DATABASE_DOWN, NOT_FOUND, THROTTLED, TOO_LARGE, TOO_LONG, Reason
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription
from channels.inbound import FIELDS_MISSING
from channels.requests import INVALID_SIGNATURE, MAX_BODY_SIZE, TOO_MANY_FIELDS
from channels.serializers import (
    EXAMPLE_SMS_CODE,
    CodeSerializer,
    DeliverySerializer,
    LinkRequestSerializer,
    MessageFormSerializer,
    PhoneNumberSerializer,
    PhoneSerializer,
    ReportFormSerializer,
    SmsCodeSerializer,
    TextCodeSerializer,
)
from channels.services.addresses import ADDRESS_NOT_FOUND, TOO_MANY_ADDRESSES
from channels.services.linking import CODE_WRONG, COUNTRY_NOT_ALLOWED, NO_SMS, VERIFY_DOWN
from channels.views.delivery import DeliveryViewSet
from channels.views.phone import ADDRESS_REMOVED, PhoneViewSet
from channels.views.webhook import EMPTY, StatusView, WebhookView
from messaging.services.messages import MESSAGE_NOT_FOUND

UNAVAILABLE = [VERIFY_DOWN, DATABASE_DOWN, TOO_LONG]
#: Why a request of Twilio's is refused; 413 names the bound of these forms.
REFUSALS: dict[object, object] = {
    403: INVALID_SIGNATURE,
    404: NOT_FOUND,
    413: Reason(TOO_LARGE.format(limit=MAX_BODY_SIZE // 1024)),
    503: [DATABASE_DOWN, TOO_LONG],
}


class PhoneDescription(ViewDescription):
    target_class = PhoneViewSet
    operations = {
        "phone": extend_schema(
            tags=["channels"],
            operation_id="get_phone",
            summary="One's number, and the addresses that messages come from and go to",
            responses={200: PhoneSerializer, 404: NOT_FOUND},
        ),
        "set_phone": extend_schema(
            tags=["channels"],
            operation_id="set_phone",
            summary="Set one's number, which is not proved by that, or clear it and unlink every address",
            request=PhoneNumberSerializer,
            responses={200: UserSerializer, 400: TAKEN["phone_number"], 404: NOT_FOUND},
        ),
        "begin_link": extend_schema(
            tags=["channels"],
            operation_id="begin_link",
            summary="A code that links an address: texted to us (201), or sent by SMS (202)",
            request=LinkRequestSerializer,
            responses={
                201: TextCodeSerializer,
                202: OpenApiResponse(
                    SmsCodeSerializer,
                    examples=[OpenApiExample("Sent", EXAMPLE_SMS_CODE, status_codes=["202"])],
                ),
                400: [COUNTRY_NOT_ALLOWED, TOO_MANY_ADDRESSES, NO_SMS],
                404: NOT_FOUND,
                429: Reason(THROTTLED.format(wait=42)),
                503: UNAVAILABLE,
            },
        ),
        "finish_link": extend_schema(
            tags=["channels"],
            operation_id="finish_link",
            summary="Link the number that a code was sent to",
            request=CodeSerializer,
            responses={200: PhoneSerializer, 400: CODE_WRONG, 404: NOT_FOUND, 503: UNAVAILABLE},
        ),
        "remove_address": extend_schema(
            tags=["channels"],
            operation_id="remove_address",
            summary="Unlink an address",
            responses={200: answer(ADDRESS_REMOVED), 404: [NOT_FOUND, ADDRESS_NOT_FOUND]},
        ),
    }


class DeliveryDescription(ViewDescription):
    target_class = DeliveryViewSet
    operations = {
        "retrieve": extend_schema(
            tags=["channels"],
            operation_id="list_deliveries",
            summary="What became of the parts in which a message left by SMS or WhatsApp",
            description="Empty where it went by no channel. There are at most ten.",
            responses={200: DeliverySerializer(many=True), 404: [MESSAGE_NOT_FOUND, NOT_FOUND]},
        ),
    }


class WebhookDescription(ViewDescription):
    target_class = WebhookView
    operations = {
        "post": extend_schema(
            tags=["channels"],
            operation_id="take_twilio_message",
            summary="Twilio delivers a message that somebody sent by SMS or WhatsApp",
            request=MessageFormSerializer,
            responses={
                (200, "text/xml"): OpenApiResponse(
                    OpenApiTypes.STR, "Taken, or known already", [OpenApiExample("Empty", EMPTY)]
                ),
                400: [FIELDS_MISSING, TOO_MANY_FIELDS],
                **REFUSALS,
            },
        ),
    }


class StatusDescription(ViewDescription):
    target_class = StatusView
    operations = {
        "post": extend_schema(
            tags=["channels"],
            operation_id="take_twilio_report",
            summary="Twilio reports what became of a message that went out",
            request=ReportFormSerializer,
            responses={204: None, 400: TOO_MANY_FIELDS, **REFUSALS},
        ),
    }
