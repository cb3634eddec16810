"""Reads assertions: JSON Web Tokens (RFC 7519) in which the operator's own backend names one of its users."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.tokens import CLOCK_DIFFERENCE
from aimessage.db.text import without_controls

#: Bytes.
MAX_SIZE = 8 * 1024
#: Seconds between `iat` and `exp`.
MAX_LIFETIME = 300
#: Seconds since 1970. A larger number is a time in milliseconds.
END_OF_TIME = 10**11
#: Characters of a text claim; the account's columns hold as many.
MAX_LENGTH = 255

_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"]
_TEXTS = ("sub", "jti", "username", "email", "full_name")


class InvalidAssertion(Exception):
    """The text is no assertion, from another issuer, for another audience, or expired."""


@dataclass(frozen=True)
class Assertion:
    issuer: str
    subject: str
    #: SHA-256 of issuer and `jti`.
    digest: str
    #: From then on it cannot be exchanged.
    expires_at: datetime
    username: str
    email: str
    email_verified: bool
    full_name: str


def read_assertion(raw: str) -> Assertion:
    """Verifies an assertion and returns what it says. Raises InvalidAssertion.

    PyJWT checks the signature, by the configured key's algorithm only, and the claims. The values that it is
    too lenient about are checked here.
    """
    key = settings.ISSUER_KEY
    if key is None or len(raw.encode("utf-8", "replace")) > MAX_SIZE:
        raise InvalidAssertion
    try:
        claims = jwt.decode(
            raw,
            key.key,
            algorithms=[key.algorithm],
            issuer=settings.ISSUER,
            audience=settings.ISSUER_AUDIENCE,
            leeway=CLOCK_DIFFERENCE,
            options={"require": _REQUIRED},
        )
    # Not only PyJWT's errors: extreme numbers and deep nesting raise others.
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidAssertion from error
    texts = {name: _text(claims, name) for name in _TEXTS}
    verified = claims.get("email_verified", False)
    if not texts["sub"] or not texts["jti"] or not isinstance(verified, bool):
        raise InvalidAssertion
    identity = f"{settings.ISSUER}\0{texts['jti']}".encode()
    return Assertion(
        issuer=settings.ISSUER,
        subject=texts["sub"],
        digest=hashlib.sha256(identity).hexdigest(),
        expires_at=_expiry(claims),
        username=texts["username"],
        email=_email(texts["email"]),
        email_verified=verified,
        full_name=without_controls(texts["full_name"]).strip(),
    )


def _text(claims: dict[str, object], name: str) -> str:
    value = claims.get(name, "")
    # PostgreSQL stores neither NUL nor surrogates.
    if not isinstance(value, str) or len(value) > MAX_LENGTH or "\0" in value:
        raise InvalidAssertion
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidAssertion
    return value


def _email(address: str) -> str:
    try:
        if address:
            validate_email(address)
    except ValidationError as error:
        raise InvalidAssertion from error
    return address


def _expiry(claims: dict[str, object]) -> datetime:
    issued, expires = _seconds(claims["iat"]), _seconds(claims["exp"])
    if not 0 <= expires - issued <= MAX_LIFETIME:
        raise InvalidAssertion
    return datetime.fromtimestamp(expires, UTC) + timedelta(seconds=CLOCK_DIFFERENCE)


def _seconds(value: object) -> float:
    # PyJWT also accepts "1" and true. The value is compared, not converted: it may be NaN or have a thousand
    # digits.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < END_OF_TIME:
        raise InvalidAssertion
    return value
