from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import PersonalToken
from accounts.serializers import LoginAnswerSerializer, answer
from accounts.serializers.second_factor import (
    ConfirmSerializer,
    EnrolmentSerializer,
    ProofOnlySerializer,
    RecoveryCodesSerializer,
    SecondStepSerializer,
    SecuritySerializer,
)
from accounts.services.codes import RESET_REQUIRED, WRONG_CODE
from accounts.services.leaving import find_pending
from accounts.services.logins import check_second_step
from accounts.services.pending_logins import LOG_IN_AGAIN
from accounts.services.proof import WRONG_PASSWORD, check_proof
from accounts.services.second_factor import (
    ALREADY_ON,
    NOTHING_TO_CONFIRM,
    OFF,
    UNVERIFIED,
    begin_totp,
    confirm_totp,
    factor_state,
    remove_second_factor,
    renew_recovery_codes,
    require_off,
    require_on,
    require_verified,
)
from accounts.throttles import LoginThrottle
from accounts.views.base import PROOF_REFUSED, PUBLIC, UNAVAILABLE, ActionViewSet, answer_login
from aimessage.api.guesses import LOCKED_OUT
from aimessage.api.problems import CHANGED_MEANWHILE, Unauthenticated

PROOF: dict[int, Any] = {
    400: [WRONG_PASSWORD, WRONG_CODE],
    403: PROOF_REFUSED,
    429: LOCKED_OUT,
    503: UNAVAILABLE,
}


class SecondFactorViewSet(ActionViewSet):
    @extend_schema(
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
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="login/second-factor",
        serializer_class=SecondStepSerializer,
        throttle_classes=[LoginThrottle],
        **PUBLIC,
    )
    def second_step(self, request: Request) -> Response:
        user = check_second_step(request._request, **self.read(request))
        try:
            return answer_login(request, user)
        except Unauthenticated as error:  # the password was changed in this moment
            raise Unauthenticated(LOG_IN_AGAIN) from error

    @extend_schema(
        tags=["accounts"],
        operation_id="get_security",
        summary="How one's own account is protected",
        responses={200: SecuritySerializer},
    )
    @action(detail=False, methods=["get"])
    def security(self, request: Request) -> Response:
        state, pending = factor_state(self.user), find_pending(self.user)
        shown = {
            "email_verified_at": self.user.email_verified_at,
            "email_pending": self.user.email_pending,
            "has_password": self.user.has_usable_password(),
            "totp_since": state.totp_since,
            "recovery_codes_left": state.recovery_codes_left,
            "tokens": PersonalToken.objects.live().filter(user=self.user).count(),
            "deletion_at": pending.deletion_at if pending else None,
        }
        return Response(SecuritySerializer(shown).data)

    @extend_schema(
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
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="second-factor/totp",
        serializer_class=ProofOnlySerializer,
        throttle_classes=[LoginThrottle],
    )
    def totp(self, request: Request) -> Response:
        proof = self.read(request)
        require_off(self.user)
        require_verified(self.user)
        check_proof(request, **proof)
        return Response(EnrolmentSerializer(begin_totp(self.user)).data)

    @extend_schema(
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
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="second-factor/totp/confirm",
        serializer_class=ConfirmSerializer,
        throttle_classes=[LoginThrottle],
    )
    def confirm(self, request: Request) -> Response:
        codes = confirm_totp(self.user, keep=self.session, **self.read(request))
        return Response(RecoveryCodesSerializer({"recovery_codes": codes}).data)

    @extend_schema(
        tags=["accounts"],
        operation_id="renew_recovery_codes",
        summary="Ten new recovery codes; the old ones are dead",
        request=ProofOnlySerializer,
        responses={200: RecoveryCodesSerializer, 404: OFF, **PROOF},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="second-factor/recovery-codes",
        serializer_class=ProofOnlySerializer,
        throttle_classes=[LoginThrottle],
    )
    def recovery_codes(self, request: Request) -> Response:
        proof = self.read(request)
        require_on(self.user)
        check_proof(request, **proof)
        return Response(RecoveryCodesSerializer({"recovery_codes": renew_recovery_codes(self.user)}).data)

    @extend_schema(
        tags=["accounts"],
        operation_id="remove_second_factor",
        summary="Turn two-factor login off; every other session ends",
        request=ProofOnlySerializer,
        responses={200: answer("Two-factor login is off"), 404: OFF, **PROOF},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="second-factor/remove",
        serializer_class=ProofOnlySerializer,
        throttle_classes=[LoginThrottle],
    )
    def remove(self, request: Request) -> Response:
        proof = self.read(request)
        require_on(self.user)
        check_proof(request, **proof)
        remove_second_factor(self.user, keep=self.session)
        return Response({"message": "Two-factor login is off"})
