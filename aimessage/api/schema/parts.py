"""Parts of the operations' descriptions: reasons, headers, the schema of a problem."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter

from aimessage.api.idempotency import KEY_REUSED
from aimessage.api.problems import (
    CHANGED_MEANWHILE,
    DATABASE_DOWN,
    DATABASE_RETRY_AFTER,
    INTERNAL_ERROR,
    NON_FIELD,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    SESSION_ENDED,
    STATUS_CODES,
    THROTTLED,
    TOKEN_INVALID,
    TOO_LARGE,
    TOO_LONG,
    Reason,
)

Schema = dict[str, Any]

#: The usual reasons for an error of this status.
REASONS: dict[int, list[Reason]] = {
    401: [NOT_AUTHENTICATED, TOKEN_INVALID, SESSION_ENDED],
    404: [NOT_FOUND],
    406: [Reason("Could not satisfy the request Accept header.")],
    409: [CHANGED_MEANWHILE],
    413: [Reason(TOO_LARGE.format(limit=settings.MAX_BODY_SIZE // 1024))],
    415: [Reason('Unsupported media type "text/plain" in request.')],
    422: [KEY_REUSED],
    429: [Reason(THROTTLED.format(wait=42))],
    500: [INTERNAL_ERROR],
    503: [DATABASE_DOWN, TOO_LONG],
}

_MEMBERS = {
    "type": {"type": "string", "format": "uri-reference", "example": "about:blank"},
    "title": {"type": "string", "description": "The status in words."},
    "status": {"type": "integer", "format": "int32", "minimum": 400, "maximum": 599},
    "detail": {"type": "string", "description": "One sentence for a human, which may change."},
}
_BY_FIELD = f"by field; `{NON_FIELD}` for the rest."
_ERRORS = {
    "type": "object",
    "description": f"What is wrong, {_BY_FIELD}",
    "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
}
_CODES = {
    "type": "object",
    "description": f"A word for each message of `errors`, as `required` or `taken`, {_BY_FIELD}",
    "additionalProperties": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "minItems": 1,
    },
}
HEADERS = {
    "X-Request-ID": {
        "description": "The caller's own, where it is 1 to 128 of `A-Za-z0-9._-`, else a fresh one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        "required": True,
    },
    "WWW-Authenticate": {"schema": {"type": "string", "enum": ["Bearer"]}, "required": True},
    "Retry-After": {
        "description": "Seconds.",
        "schema": {"type": "integer", "minimum": 1, "example": DATABASE_RETRY_AFTER},
        "required": True,
    },
    "Link": {
        "description": "RFC 8288: `next` is the page of older items, `prev` that of newer ones.",
        "schema": {"type": "string"},
        "example": '<https://example.org/messages?limit=100&before=42>; rel="next"',
    },
    "Idempotent-Replayed": {
        "description": "Sent when an earlier request with this Idempotency-Key made the resource.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
STATUS_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
ID = {"type": "integer", "format": "int64", "minimum": 1}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description=(
        "1 to 255 visible ASCII characters. The same key and body again, within a week, make nothing new."
    ),
    type={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
)

#: Keeps the codes away from drf-spectacular's hook, which makes a component of every `enum`.
LATER_ENUM = "x-codes"


def _example_schema(value: object) -> Schema:
    if isinstance(value, list):
        return {"type": "array", "items": _example_schema(value[0])}
    return {"type": "integer", "format": "int32"} if isinstance(value, int) else {"type": "string"}


def problem_schema(
    codes: list[str], *, validation: bool, members: Mapping[str, object]
) -> tuple[str, Schema]:
    """Name and schema of the component for problems with one of these codes; only some have the `members`."""
    name = "Or".join(code.title().replace("_", "") for code in codes) + "Problem"
    code = {"type": "string", LATER_ENUM: codes, "description": "For programs: it never changes."}
    usual = {**_MEMBERS, "code": code, **({"errors": _ERRORS, "codes": _CODES} if validation else {})}
    more = {name: _example_schema(value) for name, value in members.items()}
    return name, {
        "type": "object",
        "description": "An error (RFC 9457).",
        "properties": {**usual, **more},
        "required": list(usual),
    }


def code_of(reason: str, status: int) -> str:
    return getattr(reason, "code", None) or STATUS_CODES[status]
