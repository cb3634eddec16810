from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import PersonalToken
from accounts.serializers.second_factor import (
    ConfirmSerializer,
    EnrolmentSerializer,
    ProofOnlySerializer,
    RecoveryCodesSerializer,
    SecondStepSerializer,
    SecuritySerializer,
)
from accounts.services.leaving import find_pending
from accounts.services.logins import check_second_step
from accounts.services.pending_logins import LOG_IN_AGAIN
from accounts.services.proof import check_proof
from accounts.services.second_factor import (
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
from accounts.views.base import PUBLIC, ActionViewSet, answer_login
from aimessage.api.problems import Unauthenticated

TURNED_OFF = "Two-factor login is off"


class SecondFactorViewSet(ActionViewSet):
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
        except Unauthenticated as error:  # the password was changed meanwhile
            raise Unauthenticated(LOG_IN_AGAIN) from error

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
        return Response({"message": TURNED_OFF})
