"""The two addresses that Twilio calls: for incoming messages, and for reports on outgoing ones."""

import logging
from collections.abc import Sequence
from http import HTTPStatus

from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from channels.inbound import read_inbound
from channels.requests import read_genuine
from channels.services.incoming import receive
from channels.services.states import apply_report
from channels.switch import twilio_or_404

#: TwiML without an answer; answers go out as messages of their own.
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
#: Characters of an error that are logged; some errors quote the request.
_LOGGED = 100

logger = logging.getLogger("twilio_webhook")


class TwilioView(APIView):
    http_method_names = ["post"]
    # Twilio's signature is the authentication; read_genuine checks it.
    authentication_classes: Sequence[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]
    # Only for the API's description; read_genuine reads the form itself, because every byte is signed.
    parser_classes = [FormParser]

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        twilio_or_404()
        super().initial(request, *args, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        # Forced, because Twilio's Accept header may name no type that we have.
        return super().perform_content_negotiation(request, force=True)

    def handle_exception(self, exc: Exception) -> Response:
        # Each refused request has one line in the log; read_genuine writes the one for a 403.
        response: Response = super().handle_exception(exc)
        if response.status_code not in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            detail = str(response.data["detail"])[:_LOGGED]
            logger.warning("refused: reason=%s path=%s", detail, self.request.path_info)
        return response


class WebhookView(TwilioView):
    def post(self, request: Request) -> HttpResponse:
        receive(read_inbound(read_genuine(request._request)))
        return HttpResponse(EMPTY, content_type="text/xml")


class StatusView(TwilioView):
    def post(self, request: Request) -> HttpResponse:
        fields = read_genuine(request._request)
        apply_report(fields, delivery=request.query_params.get("d", ""))
        return HttpResponse(status=204)
