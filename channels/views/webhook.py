"""What Twilio calls."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.inbound import FIELDS_MISSING, read_inbound
from channels.requests import FORM, INVALID_SIGNATURE, TOO_MANY_FIELDS, read_genuine
from channels.services.incoming import take
from channels.services.states import apply_report
from channels.switch import twilio_or_404

#: TwiML that says nothing: an answer is a message of its own.
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


class TwilioView(APIView):
    """Takes forms that Twilio signed, whoever may have sent them."""

    http_method_names = ["post"]
    authentication_classes: Any = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        twilio_or_404()
        super().initial(request, *args, **kwargs)


class WebhookView(TwilioView):
    @extend_schema(
        tags=["channels"],
        operation_id="take_twilio_message",
        summary="Twilio delivers a message that somebody sent by SMS or WhatsApp",
        request={FORM: OpenApiTypes.OBJECT},
        responses={
            (200, "text/xml"): OpenApiResponse(
                OpenApiTypes.STR, "Taken, or known already", [OpenApiExample("Empty", EMPTY)]
            ),
            400: [FIELDS_MISSING, TOO_MANY_FIELDS],
            403: INVALID_SIGNATURE,
        },
    )
    def post(self, request: Request) -> HttpResponse:
        take(read_inbound(read_genuine(request._request)))
        return HttpResponse(EMPTY, content_type="text/xml")


class StatusView(TwilioView):
    @extend_schema(
        tags=["channels"],
        operation_id="take_twilio_report",
        summary="Twilio reports what became of a message that went out",
        request={FORM: OpenApiTypes.OBJECT},
        responses={204: None, 400: TOO_MANY_FIELDS, 403: INVALID_SIGNATURE},
    )
    def post(self, request: Request) -> HttpResponse:
        fields = read_genuine(request._request)
        apply_report(fields, delivery=request.query_params.get("d", ""))
        return HttpResponse(status=204)
