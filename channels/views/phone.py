"""One's own phone: the number that one names, and the addresses that are proved to be one's own."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import UserSerializer, answer
from accounts.services.users import TAKEN
from accounts.views.base import ActionViewSet
from aimessage.api.problems import DATABASE_DOWN, NOT_FOUND, THROTTLED, TOO_LONG, Reason
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import parse_id
from channels.models import LinkCode
from channels.serializers import (
    EXAMPLE_SMS_CODE,
    CodeSerializer,
    LinkRequestSerializer,
    PhoneNumberSerializer,
    PhoneSerializer,
    SmsCodeSerializer,
    TextCodeSerializer,
)
from channels.services.addresses import (
    ADDRESS_NOT_FOUND,
    TOO_MANY_ADDRESSES,
    phone_of,
    remove_address,
    set_phone_number,
)
from channels.services.linking import (
    CODE_WRONG,
    COUNTRY_NOT_ALLOWED,
    GAP,
    NO_SMS,
    VERIFY_DOWN,
    issue_text_code,
    send_sms_code,
    use_sms_code,
)
from channels.switch import twilio_or_404

UNAVAILABLE = [VERIFY_DOWN, DATABASE_DOWN, TOO_LONG]


class PhoneViewSet(ActionViewSet):
    scopes = {"phone": Scope.PROFILE_READ, "set_phone": Scope.PROFILE_WRITE}
    not_found = ADDRESS_NOT_FOUND

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        twilio_or_404()
        super().initial(request, *args, **kwargs)

    def _show_phone(self) -> Response:
        return Response(PhoneSerializer(phone_of(self.user)).data)

    @extend_schema(
        tags=["channels"],
        operation_id="get_phone",
        summary="One's number, and the addresses that messages come from and go to",
        responses={200: PhoneSerializer, 404: NOT_FOUND},
    )
    @action(detail=False, methods=["get"], url_path="me/phone")
    def phone(self, request: Request) -> Response:
        return self._show_phone()

    @extend_schema(
        tags=["channels"],
        operation_id="set_phone",
        summary="Set one's number, which is not proved by that, or clear it and unlink every address",
        request=PhoneNumberSerializer,
        responses={200: UserSerializer, 400: TAKEN["phone_number"], 404: NOT_FOUND},
    )
    @phone.mapping.put
    def set_phone(self, request: Request) -> Response:
        serializer = PhoneNumberSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if "phone_number" in serializer.validated_data:
            set_phone_number(self.user, serializer.validated_data["phone_number"] or None)
        return Response(UserSerializer.show(self.user))

    @extend_schema(
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
    )
    @action(detail=False, methods=["post"], url_path="me/phone/link", serializer_class=LinkRequestSerializer)
    def begin_link(self, request: Request) -> Response:
        data = self.read(request)
        if data["method"] == LinkCode.Method.TEXT:
            return Response(TextCodeSerializer(issue_text_code(self.user)).data, status=201)
        expires_at = send_sms_code(self.user, phone_number=data["phone_number"])
        return Response(SmsCodeSerializer({"expires_at": expires_at, "resend_after": GAP}).data, status=202)

    @extend_schema(
        tags=["channels"],
        operation_id="finish_link",
        summary="Link the number that a code was sent to",
        request=CodeSerializer,
        responses={200: PhoneSerializer, 400: CODE_WRONG, 404: NOT_FOUND, 503: UNAVAILABLE},
    )
    @begin_link.mapping.put
    def finish_link(self, request: Request) -> Response:
        serializer = CodeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        use_sms_code(self.user, serializer.validated_data["code"])
        return self._show_phone()

    @extend_schema(
        tags=["channels"],
        operation_id="remove_address",
        summary="Unlink an address",
        responses={200: answer("Address removed successfully"), 404: [NOT_FOUND, ADDRESS_NOT_FOUND]},
    )
    @action(detail=False, methods=["delete"], url_path="me/phone/addresses/<str:pk>")
    def remove_address(self, request: Request, pk: str) -> Response:
        remove_address(self.user, parse_id(pk, missing=ADDRESS_NOT_FOUND))
        return Response({"message": "Address removed successfully"})
