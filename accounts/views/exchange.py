"""Getting in for users of the operator's own backend."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import LoginAnswerSerializer, example
from accounts.services.exchange import ASSERTION_INVALID, NO_ACCOUNT, exchange, require_issuer
from accounts.services.leaving import DELETION_PENDING
from accounts.services.logins import ACCOUNT_DISABLED
from accounts.services.users import TAKEN
from accounts.throttles import LoginThrottle
from accounts.views.base import PUBLIC
from aimessage.api.problems import FORBIDDEN, NOT_FOUND
from aimessage.api.viewsets import ApiViewSet
from aimessage.db.fields import StringField
from aimessage.server.clients import client_address


@example({"assertion": "eyJhbGciOiJIUzI1NiIs…"})
class ExchangeSerializer(serializers.Serializer[Any]):
    assertion = StringField(
        trim_whitespace=False,
        allow_blank=True,
        help_text="A JWT that the operator's own backend signed, of at most 8 KiB; it works once.",
    )


class ExchangeViewSet(ApiViewSet):
    serializer_class = ExchangeSerializer
    pagination_class = None

    @extend_schema(
        tags=["accounts"],
        operation_id="exchange_assertion",
        summary="Open a session for a user of the operator's own backend",
        request=ExchangeSerializer,
        responses={
            200: LoginAnswerSerializer,
            400: TAKEN["email"],
            401: ASSERTION_INVALID,
            403: [ACCOUNT_DISABLED, DELETION_PENDING, NO_ACCOUNT, FORBIDDEN],
            404: NOT_FOUND,
        },
    )
    @action(detail=False, methods=["post"], throttle_classes=[LoginThrottle], **PUBLIC)
    def exchange(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        require_issuer()
        serializer.is_valid(raise_exception=True)
        session, pair = exchange(
            serializer.validated_data["assertion"],
            device_info=request.headers.get("User-Agent"),
            ip_address=client_address(request._request),
        )
        answer = {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "user": session.user,
        }
        return Response(LoginAnswerSerializer(answer).data)
