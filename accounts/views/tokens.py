from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import PersonalToken
from accounts.serializers import answer
from accounts.serializers.tokens import NewTokenSerializer, TokenRequestSerializer, TokenSerializer
from accounts.services.codes import WRONG_CODE
from accounts.services.proof import WRONG_PASSWORD, check_proof
from accounts.services.tokens import LIMIT_REACHED, make_token, revoke_tokens
from accounts.throttles import LoginThrottle
from accounts.views.base import PROOF_REFUSED, UNAVAILABLE
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.problems import NotFound, Reason
from aimessage.api.viewsets import ApiViewSet

TOKEN_NOT_FOUND = Reason("Token not found")


class TokenViewSet(ApiViewSet[PersonalToken]):
    serializer_class = TokenSerializer
    pagination_class = None
    not_found = TOKEN_NOT_FOUND

    def get_queryset(self) -> QuerySet[PersonalToken]:
        return PersonalToken.objects.live().filter(user=self.user)

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, LoginThrottle()] if self.action == "create" else throttles

    @extend_schema(tags=["tokens"], operation_id="list_tokens", summary="One's live personal tokens")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_queryset().order_by("-pk"), many=True).data)

    @extend_schema(
        tags=["tokens"],
        operation_id="make_token",
        summary="Make a personal token; its text is in this answer alone",
        request=TokenRequestSerializer,
        responses={
            201: NewTokenSerializer,
            400: [WRONG_PASSWORD, WRONG_CODE],
            403: [*PROOF_REFUSED, LIMIT_REACHED],
            429: LOCKED_OUT,
            503: UNAVAILABLE,
        },
    )
    def create(self, request: Request) -> Response:
        serializer = TokenRequestSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        asked: dict[str, Any] = serializer.validated_data
        names = ("name", "scopes", "expires_in_days")
        fields = {name: asked.pop(name) for name in names}
        check_proof(request, **asked)
        token, raw = make_token(self.user, **fields)
        return Response({**TokenSerializer(token).data, "token": raw}, status=201)

    @extend_schema(
        tags=["tokens"],
        operation_id="revoke_token",
        summary="Revoke a personal token, which is dead at once",
        responses={200: answer("Token revoked successfully")},
    )
    def destroy(self, request: Request, pk: str) -> Response:
        token = self.get_object()
        if not revoke_tokens(PersonalToken.objects.filter(pk=token.pk), reason="revoked by its user"):
            raise NotFound(TOKEN_NOT_FOUND)
        return Response({"message": "Token revoked successfully"})
