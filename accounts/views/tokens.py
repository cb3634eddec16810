from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import PersonalToken
from accounts.serializers.tokens import TokenRequestSerializer, TokenSerializer
from accounts.services.proof import check_proof
from accounts.services.tokens import make_token, revoke_tokens
from accounts.throttles import LoginThrottle
from aimessage.api.problems import NotFound, Reason
from aimessage.api.viewsets import ApiViewSet

TOKEN_NOT_FOUND = Reason("Token not found")
TOKEN_REVOKED = "Token revoked successfully"  # noqa: S105  a sentence


class TokenViewSet(ApiViewSet[PersonalToken]):
    serializer_class = TokenSerializer
    pagination_class = None
    not_found = TOKEN_NOT_FOUND

    def get_queryset(self) -> QuerySet[PersonalToken]:
        return PersonalToken.objects.live().filter(user=self.user)

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, LoginThrottle()] if self.action == "create" else throttles

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        return Response(self.get_serializer(self.get_queryset().order_by("-pk"), many=True).data)

    def create(self, request: Request) -> Response:
        serializer = TokenRequestSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        proof = serializer.validated_data
        fields = {name: proof.pop(name) for name in ("name", "scopes", "expires_in_days")}
        check_proof(request, **proof)
        token, raw = make_token(self.user, **fields)
        return Response({**TokenSerializer(token).data, "token": raw}, status=201)

    def destroy(self, request: Request, pk: str) -> Response:
        token = self.get_object()
        if not revoke_tokens(PersonalToken.objects.filter(pk=token.pk), reason="revoked by its user"):
            raise NotFound(TOKEN_NOT_FOUND)
        return Response({"message": TOKEN_REVOKED})
