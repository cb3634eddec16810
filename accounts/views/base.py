from typing import TypedDict

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Session, User
from accounts.serializers import LoginAnswerSerializer, UserSerializer
from accounts.services.sessions import open_session
from accounts.tokens import TokenPair
from aimessage.api.scopes import Scope
from aimessage.api.viewsets import ApiViewSet
from aimessage.server.clients import client_address


class Access(TypedDict):
    authentication_classes: list[type[BaseAuthentication]]
    permission_classes: list[type[BasePermission]]


#: For an `@action` without a login.
PUBLIC: Access = {"authentication_classes": [], "permission_classes": [AllowAny]}


class Device(TypedDict):
    device_info: str | None
    ip_address: str | None


def device_of(request: Request) -> Device:
    return {
        "device_info": request.headers.get("User-Agent"),
        "ip_address": client_address(request._request),
    }


def answer_login(request: Request, user: User, *, by_password_alone: bool = False) -> Response:
    return answer_tokens(*open_session(user, **device_of(request), by_password_alone=by_password_alone))


def answer_tokens(session: Session, pair: TokenPair) -> Response:
    answer = {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "user": session.user,
    }
    return Response(LoginAnswerSerializer(answer).data)


class ActionViewSet(ApiViewSet[User]):
    """Actions on the user's own account."""

    scopes = {"me": Scope.PROFILE_READ, **dict.fromkeys(["update_me", "patch_me"], Scope.PROFILE_WRITE)}
    serializer_class = UserSerializer
    pagination_class = None
