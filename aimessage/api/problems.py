"""One shape for every error: `application/problem+json` (RFC 9457).

Services and views raise; aimessage/api/handlers.py shapes the answer. Nothing else in the project builds an
error response.

A sentence that the API's description shows too is a `Reason`, a constant beside the code that raises it. Its
`code` is released for good; docs/api.md lists every one.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil

from django.http import JsonResponse
from rest_framework import exceptions

PROBLEM_TYPE = "application/problem+json"
NON_FIELD = "non_field_errors"
#: Seconds after which a client may ask a failing database again.
DATABASE_RETRY_AFTER = 5
#: The `code` of an error that has none of its own.
STATUS_CODES: dict[int, str] = {
    400: "invalid",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    409: "conflict",
    410: "cursor_expired",
    413: "too_large",
    414: "too_large",
    415: "unsupported_media_type",
    417: "expectation_failed",
    422: "idempotency_key_reused",
    429: "throttled",
    431: "too_large",
    500: "internal_error",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}

#: Messages by field, or under NON_FIELD; an ErrorDetail carries a code.
Errors = dict[str, list[str]]


class Reason(exceptions.ErrorDetail):
    """Why a request is refused: one sentence for a human, a code for a program, the field at fault.

    The code of a 400 is `invalid`; a reason that `leads` gives the answer its own code.
    """

    field: str | None
    #: What an answer for this reason holds besides the members of every problem, with example values.
    members: Mapping[str, object]
    leads: bool

    def __new__(
        cls,
        sentence: str,
        code: str | None = None,
        *,
        field: str | None = None,
        members: Mapping[str, object] | None = None,
        leads: bool = False,
    ) -> "Reason":
        reason = super().__new__(cls, sentence, code)
        reason.field = field
        reason.leads = leads
        reason.members = members or {}
        return reason


NOT_AUTHENTICATED = Reason("Not authenticated")
TOKEN_INVALID = Reason("Token is invalid or expired")
SESSION_ENDED = Reason("Session has ended")
FORBIDDEN = Reason("You do not have permission to perform this action")
NOT_FOUND = Reason("Not found")
CHANGED_MEANWHILE = Reason("The data changed meanwhile, try again")
THROTTLED = "Too many requests, try again in {wait} s"
TOO_LONG = Reason("That took too long, try again soon or ask for less")
DATABASE_DOWN = Reason("The database does not answer, try again soon")
NUL_IN_QUERY = Reason("NUL characters are not allowed in the query string", "null_characters_not_allowed")
TOO_LARGE = "The request body is over {limit} KiB"
NOT_AN_OBJECT = "The request body must be a JSON object"
BROKE_OFF = "The request body broke off"
INTERNAL_ERROR = Reason("Internal server error")


class DomainError(Exception):
    """Base of the errors that services and views raise.

    A plain text is enough where no program has to tell the reason from others of the same status.
    """

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, reason: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(str(reason))
        self.detail = str(reason)
        self.field = field or getattr(reason, "field", None)
        self.reason_code: str | None = code or getattr(reason, "code", None)
        self.leads: bool = getattr(reason, "leads", False)

    @property
    def code(self) -> str:
        return self.reason_code or STATUS_CODES[self.status]

    @property
    def errors(self) -> Errors | None:
        return None  # only a 400 names fields

    @property
    def members(self) -> dict[str, object]:
        return {}  # besides those of every problem

    @property
    def headers(self) -> dict[str, str]:
        return {}


class Invalid(DomainError):
    """The input breaks a rule: 400. The reason's code is the field's."""

    @property
    def code(self) -> str:
        return self.reason_code if self.leads and self.reason_code else "invalid"

    @property
    def errors(self) -> Errors:
        return {self.field or NON_FIELD: [Reason(self.detail, self.reason_code or self.code)]}


class Unreadable(Invalid):
    """The body is no JSON object, or not all of it came: 400."""

    @property
    def code(self) -> str:
        return "unreadable"


class Unauthenticated(DomainError):
    """The credentials given are no good: 401."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(DomainError):
    """The caller may see it, but may not do that: 403."""

    status = HTTPStatus.FORBIDDEN


class NotFound(DomainError):
    """There is no such thing, or not for this caller: 404."""

    status = HTTPStatus.NOT_FOUND


class TooLarge(DomainError):
    """The body has more bytes than the API reads: 413."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unprocessable(DomainError):
    """Well-formed, yet in conflict with what was said before: 422."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyRequests(DomainError):
    """Come back in `retry_after` seconds: 429."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, reason: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(reason, code=code)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, ceil(self.retry_after)))}


class Unavailable(DomainError):
    """Something that is needed does not answer: 503."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(DATABASE_RETRY_AFTER)}


class Gone(DomainError):
    """What was asked for is not kept any more: 410."""

    status = HTTPStatus.GONE


class Conflict(DomainError):
    """The data changed under the request: 409."""

    status = HTTPStatus.CONFLICT


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    errors: Errors | None = None,
    members: Mapping[str, object] | None = None,
) -> dict[str, object]:
    body: dict[str, object] = {
        "type": "about:blank",  # RFC 9457: the problem says no more than its status
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": str(detail),
        "code": code or STATUS_CODES[status],
        **(members or {}),
    }
    if errors is not None:
        body["errors"] = {field: [str(message) for message in errors[field]] for field in errors}
        body["codes"] = {field: [_code_of(message) for message in errors[field]] for field in errors}
    return body


def document_of(error: DomainError) -> dict[str, object]:
    return problem(error.status, error.detail, code=error.code, errors=error.errors, members=error.members)


def _code_of(message: str) -> str:
    return getattr(message, "code", None) or "invalid"


def problem_response(error: DomainError) -> JsonResponse:
    """The answer to `error` outside DRF's views."""
    headers = headers_of(error.status, error.headers)
    body = document_of(error)
    return JsonResponse(body, status=error.status, content_type=PROBLEM_TYPE, headers=headers)


def headers_of(status: int, headers: Mapping[str, str]) -> dict[str, str]:
    # RFC 9110, 11.6.1: every 401 names a way to authenticate.
    challenge = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    return {**headers, **challenge}


def flatten_errors(detail: object) -> Errors:
    """DRF's error detail, however nested, as the messages of each field."""
    if not isinstance(detail, Mapping):
        return {NON_FIELD: messages_of(detail)}
    return {str(field): messages_of(value) for field, value in detail.items()}


def messages_of(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [message for part in value.values() for message in messages_of(part)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [message for part in value for message in messages_of(part)]
    return [value if isinstance(value, str) else str(value)]


def headline(errors: Errors) -> str:
    """The first message, after the name of its field unless the message contains it."""
    field, messages = next(iter(errors.items()))
    message = messages[0] if messages else "Invalid input."
    says_which = field == NON_FIELD or field.replace("_", " ") in message.lower()
    return message if says_which else f"{field}: {message}"
