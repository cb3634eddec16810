"""Who is it? Bearer tokens (RFC 6750), by one query, and username with password."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import authenticate, user_logged_in
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.lockout import locked_out
from accounts.models import Session, User
from accounts.tokens import InvalidToken, read_access_token
from aimessage.metrics import count_login
from aimessage.problems import Forbidden, Unauthenticated

#: `last_used_at` is no more exact than this, so that reading does not always write.
LAST_USED_PRECISION = timedelta(minutes=1)


class BearerAuthentication(JWTAuthentication):
    """Sets `request.user`, and `request.auth` to the session.

    Revocation takes effect at once on every worker, since the session is read for every request.
    """

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        header = self.get_header(request)
        if not header:
            return None
        scheme, _, raw_token = header.strip().partition(b" ")
        # RFC 9110, 11.1: the scheme's case does not matter. Clients send `token_type` as it stands.
        if scheme.lower() != b"bearer":
            return None
        session = find_session(raw_token.strip())
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def find_session(raw_token: bytes) -> Session:
    """The live session of an access token; raises Unauthenticated."""
    try:
        claims = read_access_token(raw_token)
    except InvalidToken as error:
        raise Unauthenticated("Token is invalid or expired") from error
    live: dict[str, Any] = {"user_id": claims.user_id, "user__is_active": True}
    session = (
        Session.objects.live()
        .select_related("user")
        .filter(session_token=claims.session_token, **live)
        .first()
    )
    if session is None:
        raise Unauthenticated("Session has ended")
    now = timezone.now()
    if now - session.last_used_at > LAST_USED_PRECISION:
        Session.objects.filter(pk=session.pk).update(last_used_at=now)
    return session


def check_credentials(request: HttpRequest, *, username: str, password: str) -> User:
    """The user with that name and password; unknown name and wrong password are one answer.

    `request` is Django's own, on which django-axes counts. Raises Unauthenticated, Forbidden for a
    disabled account, TooManyRequests while the pair of name and address is locked out.
    """
    user = authenticate(request, username=username, password=password)
    if getattr(request, "axes_locked_out", False):
        count_login("api", "locked")
        raise locked_out(request, {"username": username})
    if not isinstance(user, User):
        count_login("api", "wrong")
        raise Unauthenticated("Incorrect username or password")
    if not user.is_active:
        count_login("api", "disabled")
        raise Forbidden("User is disabled")
    user_logged_in.send(sender=User, request=request, user=user)
    return user
