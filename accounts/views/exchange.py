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
from accounts.views.base import PUBLIC, answer_tokens, device_of
from aimessage.api.problems import FORBIDDEN, NOT_FOUND
from aimessage.api.viewsets import ApiViewSet
from aimessage.db.fields import StringField


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
        require_issuer()
        return answer_tokens(*exchange(self.read(request)["assertion"], **device_of(request)))
