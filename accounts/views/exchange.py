"""Login for users of the operator's own backend."""

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.serializers.exchange import ExchangeSerializer
from accounts.services.exchange import exchange, require_issuer
from accounts.throttles import LoginThrottle
from accounts.views.base import PUBLIC, answer_tokens, device_of
from aimessage.api.viewsets import ApiViewSet


class ExchangeViewSet(ApiViewSet[User]):
    pagination_class = None

    @action(
        detail=False,
        methods=["post"],
        serializer_class=ExchangeSerializer,
        throttle_classes=[LoginThrottle],
        **PUBLIC,
    )
    def exchange(self, request: Request) -> Response:
        require_issuer()
        return answer_tokens(*exchange(self.read(request)["assertion"], **device_of(request)))
