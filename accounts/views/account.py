from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.serializers import (
    LoginSerializer,
    LogoutSerializer,
    PasswordSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RegisterSerializer,
    TokenPairSerializer,
    UserSerializer,
)
from accounts.services.invitations import check_registration_open
from accounts.services.logins import check_credentials
from accounts.services.proof import proving
from accounts.services.sessions import log_out, log_out_everywhere, refresh_session
from accounts.services.users import change_password, register_user, save_unique
from accounts.throttles import LoginThrottle, RefreshThrottle, RegisterThrottle
from accounts.views.base import PUBLIC, ActionViewSet, answer_login

LOGGED_OUT = "Successfully logged out"
LOGGED_OUT_EVERYWHERE = "Successfully logged out from all devices"
PASSWORD_CHANGED = "Password changed successfully"  # noqa: S105  a sentence


class AccountViewSet(ActionViewSet):
    """Registration, login and logout, and the user's own account."""

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

    @action(detail=False, methods=["post"], serializer_class=LogoutSerializer)
    def logout(self, request: Request) -> Response:
        log_out(self.session, refresh_token=self.read(request).get("refresh_token"))
        return Response({"message": LOGGED_OUT})

    @action(detail=False, methods=["post"], url_path="logout-all")
    def logout_all(self, request: Request) -> Response:
        log_out_everywhere(self.user)
        return Response({"message": LOGGED_OUT_EVERYWHERE})

    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        return Response(UserSerializer.show(self.user))

    @me.mapping.put
    def update_me(self, request: Request) -> Response:
        serializer = ProfileSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        changed: dict[str, object] = serializer.validated_data
        if changed:
            for name, value in changed.items():
                setattr(self.user, name, value)
            save_unique(self.user, fields=[*changed, "updated_at"])
        return Response(UserSerializer.show(self.user))

    @me.mapping.patch
    def patch_me(self, request: Request) -> Response:
        return self.update_me(request)

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
        return Response({"message": PASSWORD_CHANGED})
