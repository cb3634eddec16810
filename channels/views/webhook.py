"""What Twilio calls."""

import logging
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aimessage.api.problems import DATABASE_DOWN, NOT_FOUND, TOO_LARGE, TOO_LONG, Reason
from channels.inbound import FIELDS_MISSING, read_inbound
from channels.requests import INVALID_SIGNATURE, MAX_BODY_SIZE, TOO_MANY_FIELDS, read_genuine
from channels.serializers import MessageFormSerializer, ReportFormSerializer
from channels.services.incoming import take
from channels.services.states import apply_report
from channels.switch import twilio_or_404

#: TwiML that says nothing: an answer is a message of its own.
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
#: Characters of a refusal that are logged; some repeat what was sent.
_LOGGED = 100

logger = logging.getLogger("twilio_webhook")

#: Why a request of Twilio's is refused; 413 names the bound of these forms.
REFUSALS: dict[Any, Any] = {
    403: INVALID_SIGNATURE,
    404: NOT_FOUND,
    413: Reason(TOO_LARGE.format(limit=MAX_BODY_SIZE // 1024)),
    503: [DATABASE_DOWN, TOO_LONG],
}


class TwilioView(APIView):
    """Takes forms that Twilio signed, whoever may have sent them."""

    http_method_names = ["post"]
    authentication_classes: Any = []
    permission_classes = [AllowAny]
    # For the description. What reads the form is read_genuine: a signature covers every byte.
    parser_classes = [FormParser]

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        twilio_or_404()
        super().initial(request, *args, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Twilio gets what it understands, whatever it says that it accepts."""
        return super().perform_content_negotiation(request, force=True)

    def handle_exception(self, exc: Exception) -> Response:
        """Each request has its line in the log; read_genuine says why one is not genuine."""
        response: Response = super().handle_exception(exc)
        if response.status_code not in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            detail = str(response.data["detail"])[:_LOGGED]
            logger.warning("refused: reason=%s path=%s", detail, self.request.path_info)
        return response


class WebhookView(TwilioView):
    @extend_schema(
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
    )
    def post(self, request: Request) -> HttpResponse:
        take(read_inbound(read_genuine(request._request)))
        return HttpResponse(EMPTY, content_type="text/xml")


class StatusView(TwilioView):
    @extend_schema(
        tags=["channels"],
        operation_id="take_twilio_report",
        summary="Twilio reports what became of a message that went out",
        request=ReportFormSerializer,
        responses={204: None, 400: TOO_MANY_FIELDS, **REFUSALS},
    )
    def post(self, request: Request) -> HttpResponse:
        fields = read_genuine(request._request)
        apply_report(fields, delivery=request.query_params.get("d", ""))
        return HttpResponse(status=204)
