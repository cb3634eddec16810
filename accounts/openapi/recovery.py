from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from accounts.openapi.reasons import PROOF_REFUSED, UNAVAILABLE
from accounts.serializers.recovery import (
    AddressAnswerSerializer,
    AddressSerializer,
    NewAddressSerializer,
    ResetSerializer,
    VerifySerializer,
)
from accounts.services.codes import WRONG_CODE
from accounts.services.mail_secrets import LINK_INVALID
from accounts.services.mails import MAIL_OFF
from accounts.services.proof import WRONG_PASSWORD
from accounts.services.users import TAKEN
from accounts.views.account import PASSWORD_CHANGED
from accounts.views.recovery import (
    ADDRESS_VERIFIED,
    CHANGE_ASKED,
    RESET_ASKED,
    UNCHANGED,
    VERIFICATION_ASKED,
    RecoveryViewSet,
)
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription


def address_answer(message: str, email_pending: str | None) -> OpenApiResponse:
    value = {"message": message, "email_pending": email_pending}
    return OpenApiResponse(AddressAnswerSerializer, examples=[OpenApiExample("Answer", value=value)])


class RecoveryDescription(ViewDescription):
    target_class = RecoveryViewSet
    operations = {
        "ask_reset": extend_schema(
            tags=["accounts"],
            operation_id="ask_for_password_reset",
            summary="Have a link mailed with which to set a new password",
            request=AddressSerializer,
            responses={202: answer(RESET_ASKED), 403: MAIL_OFF},
        ),
        "reset": extend_schema(
            tags=["accounts"],
            operation_id="reset_password",
            summary="Set a new password by a mailed link or code; every session ends",
            request=ResetSerializer,
            responses={200: answer(PASSWORD_CHANGED), 400: LINK_INVALID, 503: UNAVAILABLE},
        ),
        "resend": extend_schema(
            tags=["accounts"],
            operation_id="ask_for_verification",
            summary="Have the link mailed again that verifies one's address",
            request=AddressSerializer,
            responses={202: answer(VERIFICATION_ASKED), 403: MAIL_OFF},
        ),
        "verify": extend_schema(
            tags=["accounts"],
            operation_id="verify_address",
            summary="Verify an address, a first or a new one, by a mailed link or code",
            request=VerifySerializer,
            responses={200: answer(ADDRESS_VERIFIED), 400: [LINK_INVALID, TAKEN["email"]]},
        ),
        "email": extend_schema(
            tags=["accounts"],
            operation_id="change_address",
            summary="Change one's address; the present one stays until the new one is verified",
            request=NewAddressSerializer,
            responses={
                200: address_answer(UNCHANGED, None),
                202: address_answer(CHANGE_ASKED, "alice@example.net"),
                400: [WRONG_PASSWORD, WRONG_CODE, TAKEN["email"]],
                403: PROOF_REFUSED,
                429: LOCKED_OUT,
                503: UNAVAILABLE,
            },
        ),
    }
