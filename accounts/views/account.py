from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import (
    LoginAnswerSerializer,
    LoginSerializer,
    LogoutSerializer,
    PasswordSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RegisterSerializer,
    TokenPairSerializer,
    UserSerializer,
    answer,
)
from accounts.services.codes import RESET_REQUIRED, WRONG_CODE
from accounts.services.invitations import (
    INVITATION_INVALID,
    INVITATION_REQUIRED,
    REGISTRATION_CLOSED,
    check_registration_open,
)
from accounts.services.leaving import DELETION_PENDING
from accounts.services.logins import (
    ACCOUNT_DISABLED,
    EMAIL_UNVERIFIED,
    check_credentials,
)
from accounts.services.pending_logins import SECOND_FACTOR_REQUIRED
from accounts.services.proof import WRONG_PASSWORD, proving
from accounts.services.sessions import (
    REFRESH_TOKEN_INVALID,
    WRONG_CREDENTIALS,
    log_out,
    log_out_everywhere,
    refresh_session,
)
from accounts.services.users import TAKEN, change_password, register_user, save_unique
from accounts.throttles import LoginThrottle, RefreshThrottle, RegisterThrottle
from accounts.views.base import PROOF_REFUSED, PUBLIC, UNAVAILABLE, ActionViewSet, answer_login
from aimessage.api.guesses import LOCKED_OUT


class AccountViewSet(ActionViewSet):
    """Getting in and out, and one's own account."""

    @extend_schema(
        tags=["accounts"],
        operation_id="register_user",
        summary="Create an account",
        request=RegisterSerializer,
        responses={
            201: UserSerializer,
            400: [*TAKEN.values(), INVITATION_INVALID],
            403: [REGISTRATION_CLOSED, INVITATION_REQUIRED],
            503: UNAVAILABLE,
        },
    )
    @action(
        detail=False,
        methods=["post"],
        serializer_class=RegisterSerializer,
        throttle_classes=[RegisterThrottle],
        **PUBLIC,
    )
    def register(self, request: Request) -> Response:
        check_registration_open()
        user = register_user(**self.read(request))
        return Response(UserSerializer.show(user), status=201)

    @extend_schema(
        tags=["accounts"],
        operation_id="log_in",
        summary="Open a session",
        request=LoginSerializer,
        responses={
            200: LoginAnswerSerializer,
            401: [WRONG_CREDENTIALS, WRONG_CODE],
            403: [
                *(ACCOUNT_DISABLED, DELETION_PENDING, EMAIL_UNVERIFIED),
                *(SECOND_FACTOR_REQUIRED, RESET_REQUIRED),
            ],
            429: LOCKED_OUT,
            503: UNAVAILABLE,
        },
    )
    @action(
        detail=False,
        methods=["post"],
        serializer_class=LoginSerializer,
        throttle_classes=[LoginThrottle],
        **PUBLIC,
    )
    def login(self, request: Request) -> Response:
        user, by_password_alone = check_credentials(request._request, **self.read(request))
        return answer_login(request, user, by_password_alone=by_password_alone)

    @extend_schema(
        tags=["accounts"],
        operation_id="refresh_tokens",
        summary="Trade a refresh token for a new pair of tokens",
        request=RefreshSerializer,
        responses={200: TokenPairSerializer, 401: REFRESH_TOKEN_INVALID},
    )
    @action(
        detail=False,
        methods=["post"],
        serializer_class=RefreshSerializer,
        throttle_classes=[RefreshThrottle],
        **PUBLIC,
    )
    def refresh(self, request: Request) -> Response:
        pair = refresh_session(self.read(request)["refresh_token"])
        return Response(TokenPairSerializer(pair).data)

    @extend_schema(
        tags=["accounts"],
        operation_id="log_out",
        summary="End this session, and that of a refresh token",
        request=LogoutSerializer,
        responses={200: answer("Successfully logged out")},
    )
    @action(detail=False, methods=["post"], serializer_class=LogoutSerializer)
    def logout(self, request: Request) -> Response:
        log_out(self.session, refresh_token=self.read(request).get("refresh_token"))
        return Response({"message": "Successfully logged out"})

    @extend_schema(
        tags=["accounts"],
        operation_id="log_out_everywhere",
        summary="End all of one's sessions",
        request=None,
        responses={200: answer("Successfully logged out from all devices")},
    )
    @action(detail=False, methods=["post"], url_path="logout-all")
    def logout_all(self, request: Request) -> Response:
        log_out_everywhere(self.user)
        return Response({"message": "Successfully logged out from all devices"})

    @extend_schema(
        tags=["accounts"],
        operation_id="get_me",
        summary="One's own account",
        responses={200: UserSerializer},
    )
    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        return Response(UserSerializer.show(self.user))

    @extend_schema(
        tags=["accounts"],
        operation_id="update_me",
        summary="Change one's profile: the fields that are sent",
        request=ProfileSerializer,
        responses={200: UserSerializer, 400: TAKEN["phone_number"]},
    )
    @me.mapping.put
    def update_me(self, request: Request) -> Response:
        serializer = ProfileSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changed: dict[str, Any] = serializer.validated_data
        if changed:
            for name, value in changed.items():
                setattr(self.user, name, value)
            save_unique(self.user, fields=[*changed, "updated_at"])
        return Response(UserSerializer.show(self.user))

    @extend_schema(
        tags=["accounts"],
        operation_id="patch_me",
        summary="The same as PUT",
        request=ProfileSerializer,
        responses={200: UserSerializer, 400: TAKEN["phone_number"]},
    )
    @me.mapping.patch
    def patch_me(self, request: Request) -> Response:
        return self.update_me(request)

    @extend_schema(
        tags=["accounts"],
        operation_id="change_password",
        summary="Change one's password; every other session ends",
        request=PasswordSerializer,
        responses={
            200: answer("Password changed successfully"),
            400: [WRONG_PASSWORD, WRONG_CODE],
            403: PROOF_REFUSED,
            429: LOCKED_OUT,
            503: UNAVAILABLE,
        },
    )
    @action(
        detail=False,
        methods=["put"],
        url_path="me/password",
        serializer_class=PasswordSerializer,
        throttle_classes=[LoginThrottle],
    )
    def password(self, request: Request) -> Response:
        data = self.read(request)
        new = data.pop("new_password")
        with proving(request, **data):
            change_password(self.user, current=data.get("current_password", ""), new=new, keep=self.session)
        return Response({"message": "Password changed successfully"})
