"""Issues and verifies access and refresh tokens, JSON Web Tokens (RFC 7519) made by SimpleJWT.

Both kinds carry `sub` (the user's id as a string), `username`, `sid` (the session), `type`, `jti`, `iat`,
`exp`, `iss` and `aud`. Whether the session is live is read from the database (accounts/authentication.py).
"""

import hashlib
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.utils import timezone
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token

from accounts.models import Session
from aimessage.db.ids import ID

ACCESS = "access"
REFRESH = "refresh"

#: The form of the text claims.
_TEXTS = {"sub": ID, "sid": re.compile(r"[0-9a-f]{64}"), "jti": re.compile(r"[0-9a-f]{32}")}
_TIMES = ("iat", "exp")
#: Seconds since 1970. A larger number is a time in milliseconds.
_END_OF_TIME = 10**11

#: Seconds by which the issuing machine's clock may be ahead of this one's.
CLOCK_DIFFERENCE = 60
#: Characters of a token; ours have about 400.
TOKEN_MAX_LENGTH = 4096

#: Verified access tokens that a process caches, about 1 KB each.
REMEMBERED_TOKENS = 2048


class InvalidToken(Exception):
    """The text is not one of our tokens, or it has expired."""


class KeyRing(TokenBackend):
    """Signs with the first key and verifies with any of them, so that keys can be rotated."""

    def __init__(self, keys: list[str], **options: object) -> None:
        super().__init__(signing_key=keys[0], **options)
        self.former = [TokenBackend(signing_key=key, **options) for key in keys[1:]]

    def decode(self, token: object, verify: bool = True) -> dict[str, object]:
        try:
            return super().decode(token, verify)
        except TokenBackendError as error:
            for backend in self.former:
                try:
                    return backend.decode(token, verify)
                except TokenBackendError:
                    continue
            raise error


@lru_cache(maxsize=8)
def _key_ring(keys: tuple[str, ...]) -> KeyRing:
    jwt = settings.SIMPLE_JWT
    return KeyRing(
        list(keys),
        algorithm=jwt["ALGORITHM"],
        audience=jwt["AUDIENCE"],
        issuer=jwt["ISSUER"],
        leeway=CLOCK_DIFFERENCE,
    )


class SessionToken(Token):
    @property
    def token_backend(self) -> TokenBackend:
        return _key_ring(tuple(settings.JWT_KEYS))

    def verify(self) -> None:
        # First, because the checks below compute with the times, and the database takes the other claims.
        if not _are_well_formed(self.payload):
            raise TokenError("Token has claims that are missing or malformed")
        # SimpleJWT's leeway applies to `iat` and `exp`; we want it for `iat` only.
        if self.payload["exp"] <= time.time():
            raise TokenError("Token is expired")
        super().verify()


def _are_well_formed(claims: dict[str, object]) -> bool:
    texts = ((claims.get(name), pattern) for name, pattern in _TEXTS.items())
    if not all(isinstance(text, str) and pattern.fullmatch(text) for text, pattern in texts):
        return False
    times = (claims.get(name) for name in _TIMES)
    return int(str(claims["sub"])) < 2**63 and all(type(at) is int and 0 <= at < _END_OF_TIME for at in times)


class AccessToken(SessionToken):
    token_type = ACCESS
    lifetime = settings.ACCESS_TOKEN_LIFETIME


class SignedRefreshToken(SessionToken):
    token_type = REFRESH
    lifetime = settings.REFRESH_TOKEN_LIFETIME


@dataclass(frozen=True)
class Claims:
    user_id: int
    session_token: str


@dataclass(frozen=True)
class TokenPair:
    access_token: str
    refresh_token: str


def issue_pair(session: Session) -> TokenPair:
    """Returns an access token and a refresh token; the latter expires with the session."""
    now = timezone.now()
    access = _issue(AccessToken(), session, now, settings.ACCESS_TOKEN_LIFETIME)
    refresh = _issue(SignedRefreshToken(), session, now, session.expires_at - now)
    return TokenPair(access, refresh)


def _issue(token: SessionToken, session: Session, now: datetime, lifetime: timedelta) -> str:
    token["sub"] = str(session.user_id)
    token["username"] = session.user.username
    token["sid"] = session.session_token
    token.set_exp(from_time=now, lifetime=lifetime)
    return str(token)


def read_access_token(raw: str | bytes) -> Claims:
    """Returns the claims of an access token. Raises InvalidToken."""
    claims, expires_at = _verified(raw, tuple(settings.JWT_KEYS))
    if expires_at <= time.time():
        raise InvalidToken("Token is expired")
    return claims


@lru_cache(maxsize=REMEMBERED_TOKENS)
def _verified(raw: str | bytes, keys: tuple[str, ...]) -> tuple[Claims, int]:
    # Caches the claims and the expiry, which do not change: a client sends the same token for half an hour.
    # Errors are not cached.
    return _read(AccessToken, raw)


def read_refresh_token(raw: str) -> Claims:
    """Returns the claims of a refresh token. Raises InvalidToken."""
    return _read(SignedRefreshToken, raw)[0]


def _read(kind: type[SessionToken], raw: str | bytes) -> tuple[Claims, int]:
    if len(raw) > TOKEN_MAX_LENGTH:
        raise InvalidToken("Token is too long")
    # RFC 7515, 2, forbids padding. PyJWT ignores it, so one token would have several texts.
    if (b"=" if isinstance(raw, bytes) else "=") in raw:  # type: ignore[operator]
        raise InvalidToken("Token is padded")
    try:
        token = kind(raw)
    except (TokenError, UnicodeError) as error:
        raise InvalidToken(str(error)) from error
    return Claims(user_id=int(token["sub"]), session_token=token["sid"]), int(token["exp"])


def digest(token: str) -> str:
    # The form in which the database stores tokens and codes.
    return hashlib.sha256(token.encode()).hexdigest()
