"""Assertions as the operator's own backend signs them (docs/own-users.md)."""

from itertools import count
from typing import Any

import jwt
from django.utils import timezone

from aimessage.issuer import IssuerKey

ISSUER = "https://app.example.org"
SECRET = "jZ0pV4nq8rT2wY6uB1mK5xD9fH3sL7cG"
ISSUER_KEY = IssuerKey("HS256", SECRET)

_numbers = count(1)


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims, except those that are changed; None leaves a claim out."""
    now = int(timezone.now().timestamp())
    good = {
        "iss": ISSUER,
        "aud": "aimessage",
        "sub": "4711",
        "iat": now,
        "exp": now + 60,
        "jti": f"jti-{next(_numbers)}",
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def sign_assertion(**changed: Any) -> str:
    return jwt.encode(claims(**changed), SECRET, algorithm="HS256")
