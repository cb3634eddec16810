"""A user's own phone number, and the addresses that they have proved to be theirs."""

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import UserSerializer
from accounts.views.base import ActionViewSet
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import parse_id
from channels.models import LinkCode
from channels.serializers import (
    CodeSerializer,
    LinkRequestSerializer,
    PhoneNumberSerializer,
    PhoneSerializer,
    SmsCodeSerializer,
    TextCodeSerializer,
)
from channels.services.addresses import ADDRESS_NOT_FOUND, phone_of, remove_address, set_phone_number
from channels.services.linking import GAP, issue_text_code, send_sms_code, use_sms_code
from channels.switch import twilio_or_404

ADDRESS_REMOVED = "Address removed successfully"


class PhoneViewSet(ActionViewSet):
    scopes = {"phone": Scope.PROFILE_READ, "set_phone": Scope.PROFILE_WRITE}
    not_found = ADDRESS_NOT_FOUND

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        twilio_or_404()
        super().initial(request, *args, **kwargs)

    def _show_phone(self) -> Response:
        return Response(PhoneSerializer(phone_of(self.user)).data)

    @action(detail=False, methods=["get"], url_path="me/phone")
    def phone(self, request: Request) -> Response:
        return self._show_phone()

    @phone.mapping.put
    def set_phone(self, request: Request) -> Response:
        serializer = PhoneNumberSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if "phone_number" in serializer.validated_data:
            set_phone_number(self.user, serializer.validated_data["phone_number"] or None)
        return Response(UserSerializer.show(self.user))

    @action(detail=False, methods=["post"], url_path="me/phone/link", serializer_class=LinkRequestSerializer)
    def begin_link(self, request: Request) -> Response:
        data = self.read(request)
        if data["method"] == LinkCode.Method.TEXT:
            return Response(TextCodeSerializer(issue_text_code(self.user)).data, status=201)
        expires_at = send_sms_code(self.user, phone_number=data["phone_number"])
        return Response(SmsCodeSerializer({"expires_at": expires_at, "resend_after": GAP}).data, status=202)

    @begin_link.mapping.put
    def finish_link(self, request: Request) -> Response:
        serializer = CodeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        use_sms_code(self.user, serializer.validated_data["code"])
        return self._show_phone()

    @action(detail=False, methods=["delete"], url_path="me/phone/addresses/<str:pk>")
    def remove_address(self, request: Request, pk: str) -> Response:
        remove_address(self.user, parse_id(pk, missing=ADDRESS_NOT_FOUND))
        return Response({"message": ADDRESS_REMOVED})
