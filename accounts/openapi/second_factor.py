from drf_spectacular.utils import extend_schema

from accounts.openapi.reasons import PROOF, PROOF_REFUSED, UNAVAILABLE
from accounts.serializers import LoginAnswerSerializer
from accounts.serializers.second_factor import (
    ConfirmSerializer,
    EnrolmentSerializer,
    ProofOnlySerializer,
    RecoveryCodesSerializer,
    SecondStepSerializer,
    SecuritySerializer,
)
from accounts.services.codes import RESET_REQUIRED, WRONG_CODE
from accounts.services.pending_logins import LOG_IN_AGAIN
from accounts.services.second_factor import ALREADY_ON, NOTHING_TO_CONFIRM, OFF, UNVERIFIED
from accounts.views.second_factor import TURNED_OFF, SecondFactorViewSet
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.problems import CHANGED_MEANWHILE
from aimessage.api.schema.answers import answer
from aimessage.api.schema.descriptions import ViewDescription


class SecondFactorDescription(ViewDescription):
    target_class = SecondFactorViewSet
    operations = {
        "second_step": extend_schema(
            tags=["accounts"],
            operation_id="log_in_second_factor",
            summary="Finish a login with a code",
            request=SecondStepSerializer,
            responses={
                200: LoginAnswerSerializer,
                401: [WRONG_CODE, LOG_IN_AGAIN],
                403: RESET_REQUIRED,
                429: LOCKED_OUT,
                503: UNAVAILABLE,
            },
        ),
        "security": extend_schema(
            tags=["accounts"],
            operation_id="get_security",
            summary="How one's own account is protected",
            responses={200: SecuritySerializer},
        ),
        "totp": extend_schema(
            tags=["accounts"],
            operation_id="begin_totp",
            summary="A new secret for an authenticator app, to be confirmed within 15 minutes",
            request=ProofOnlySerializer,
            responses={
                200: EnrolmentSerializer,
                **PROOF,
                403: [*PROOF_REFUSED, UNVERIFIED],
                409: [ALREADY_ON, CHANGED_MEANWHILE],
            },
        ),
        "confirm": extend_schema(
            tags=["accounts"],
            operation_id="confirm_totp",
            summary="Turn two-factor login on with a first code; every other session ends",
            request=ConfirmSerializer,
            responses={
                200: RecoveryCodesSerializer,
                400: WRONG_CODE,
                404: NOTHING_TO_CONFIRM,
                429: LOCKED_OUT,
            },
        ),
        "recovery_codes": extend_schema(
            tags=["accounts"],
            operation_id="renew_recovery_codes",
            summary="Ten new recovery codes; the old ones are dead",
            request=ProofOnlySerializer,
            responses={200: RecoveryCodesSerializer, 404: OFF, **PROOF},
        ),
        "remove": extend_schema(
            tags=["accounts"],
            operation_id="remove_second_factor",
            summary="Turn two-factor login off; every other session ends",
            request=ProofOnlySerializer,
            responses={200: answer(TURNED_OFF), 404: OFF, **PROOF},
        ),
    }
