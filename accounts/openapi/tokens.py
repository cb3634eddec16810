from drf_spectacular.utils import extend_schema

from accounts.openapi.reasons import PROOF_REFUSED, UNAVAILABLE
from accounts.serializers.tokens import NewTokenSerializer, TokenRequestSerializer
from accounts.services.codes import WRONG_CODE
from accounts.services.proof import WRONG_PASSWORD
from accounts.services.tokens import LIMIT_REACHED
from accounts.views.tokens import TOKEN_REVOKED, TokenViewSet
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription


class TokenDescription(ViewDescription):
    target_class = TokenViewSet
    operations = {
        "list": extend_schema(
            tags=["tokens"], operation_id="list_tokens", summary="One's live personal tokens"
        ),
        "create": extend_schema(
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
        ),
        "destroy": extend_schema(
            tags=["tokens"],
            operation_id="revoke_token",
            summary="Revoke a personal token, which is dead at once",
            responses={200: answer(TOKEN_REVOKED)},
        ),
    }
