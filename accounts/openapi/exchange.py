from drf_spectacular.utils import extend_schema

from accounts.serializers import LoginAnswerSerializer
from accounts.serializers.exchange import ExchangeSerializer
from accounts.services.exchange import ASSERTION_INVALID, NO_ACCOUNT
from accounts.services.leaving import DELETION_PENDING
from accounts.services.logins import ACCOUNT_DISABLED
from accounts.services.users import TAKEN
from accounts.views.exchange import ExchangeViewSet
from aimessage.api.problems import FORBIDDEN, NOT_FOUND
from aimessage.api.schema.descriptions import ViewDescription


class ExchangeDescription(ViewDescription):
    target_class = ExchangeViewSet
    operations = {
        "exchange": extend_schema(
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
        ),
    }
