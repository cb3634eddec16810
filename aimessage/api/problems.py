"""One shape for every error: `application/problem+json` (RFC 9457).

Services and views raise; `exception_handler` (DRF) and the `handler…` views (Django) shape the
answer. Nothing else in the project builds an error response.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import csrf, defaults
from rest_framework import exceptions
from rest_framework.response import Response

from aimessage.db.bounds import took_too_long

PROBLEM_TYPE = "application/problem+json"
NON_FIELD = "non_field_errors"
#: Seconds after which a client may ask a failing database again.
DATABASE_RETRY_AFTER = 5
TOO_LONG = "That took too long, try again soon or ask for less"
CHANGED_MEANWHILE = "The data changed meanwhile, try again"

logger = logging.getLogger("django.request")

Errors = dict[str, list[str]]


class DomainError(Exception):
    """A rule of the domain said no: `detail` is one sentence for the caller.

    `field` names the input that is at fault, where one is.
    """

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field

    @property
    def errors(self) -> Errors | None:
        """For 400 alone: what is wrong, by field."""
        if self.status != HTTPStatus.BAD_REQUEST:
            return None
        return {self.field or NON_FIELD: [self.detail]}

    @property
    def headers(self) -> dict[str, str]:
        return {}


class Invalid(DomainError):
    """The input breaks a rule: 400."""


class Unauthenticated(DomainError):
    """The credentials given are no good: 401."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(DomainError):
    """The caller may see it, but may not do that: 403."""

    status = HTTPStatus.FORBIDDEN


class NotFound(DomainError):
    """There is no such thing, or not for this caller: 404."""

    status = HTTPStatus.NOT_FOUND


class Unprocessable(DomainError):
    """Well-formed, yet in conflict with what was said before: 422."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyRequests(DomainError):
    """Come back in `retry_after` seconds: 429."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
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


class Conflict(DomainError):
    """The data changed under the request: 409."""

    status = HTTPStatus.CONFLICT


def problem(status: int, detail: str, errors: Errors | None = None) -> dict[str, Any]:
    """The members of a problem document. `about:blank` says: no more than the status itself."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    return body


def problem_response(error: DomainError) -> JsonResponse:
    """The answer to `error` outside DRF's views."""
    headers = _headers(error.status, error.headers)
    body = problem(error.status, error.detail, error.errors)
    return JsonResponse(body, status=error.status, content_type=PROBLEM_TYPE, headers=headers)


def _headers(status: int, headers: Mapping[str, str]) -> dict[str, str]:
    # RFC 9110, 11.6.1: every 401 names a way to authenticate.
    challenge = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    return {**headers, **challenge}


def flatten_errors(detail: Any) -> Errors:
    """DRF's error detail, of whatever shape, as a flat object of field name to messages."""
    if not isinstance(detail, Mapping):
        return {NON_FIELD: _messages(detail)}
    return {str(field): _messages(value) for field, value in detail.items()}


def _messages(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [message for part in value.values() for message in _messages(part)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [message for part in value for message in _messages(part)]
    return [str(value)]


def headline(errors: Errors) -> str:
    """The first message, led by its field's name where the message alone would not say which."""
    field, messages = next(iter(errors.items()))
    message = messages[0] if messages else "Invalid input."
    says_which = field == NON_FIELD or field.replace("_", " ") in message.lower()
    return message if says_which else f"{field}: {message}"


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: the answer to `exc`, or None, which makes it a 500."""
    # DRF's views load the authentication class, whose errors are defined here.
    from rest_framework.views import set_rollback

    translated = _translate(exc)
    if translated is None:
        return None
    status, detail, errors, headers = translated
    set_rollback()
    return Response(
        problem(status, detail, errors),
        status=status,
        headers=_headers(status, headers),
        content_type=PROBLEM_TYPE,
    )


def _translate(exc: Exception) -> tuple[int, str, Errors | None, dict[str, str]] | None:
    error = _domain_error(exc)
    if error is not None:
        return error.status, error.detail, error.errors, error.headers
    if isinstance(exc, DjangoValidationError):
        errors = flatten_errors(exc.message_dict if hasattr(exc, "error_dict") else exc.messages)
        return HTTPStatus.BAD_REQUEST, headline(errors), errors, {}
    if isinstance(exc, exceptions.ValidationError):
        errors = flatten_errors(exc.detail)
        return exc.status_code, headline(errors), errors, {}
    if isinstance(exc, exceptions.APIException):
        return exc.status_code, _messages(exc.detail)[0], None, {}
    return None


def _domain_error(exc: BaseException | None) -> DomainError | None:
    """What `exc`, raised by Django, DRF or the database, means in our own words, if anything."""
    match exc:
        case DomainError():
            return exc
        case Http404() | exceptions.NotFound():
            return NotFound("Not found")
        case PermissionDenied():
            return Forbidden("You do not have permission to perform this action")
        case exceptions.NotAuthenticated():
            return Unauthenticated("Not authenticated")
        case exceptions.AuthenticationFailed():
            return Unauthenticated(_messages(exc.detail)[0])
        case exceptions.ParseError():
            return Invalid(str(exc.detail))
        case UnreadablePostError():
            return Invalid("The request body broke off")
        case exceptions.Throttled():
            wait = max(1, ceil(getattr(exc, "wait", None) or 1))
            return TooManyRequests(f"Too many requests, try again in {wait} s", retry_after=wait)
        case OperationalError() if took_too_long(exc):
            logger.error("The database took too long: %s", exc)
            return Unavailable(TOO_LONG)
        case OperationalError() | InterfaceError():
            logger.error("The database does not answer: %s", exc)
            return Unavailable("The database does not answer, try again soon")
        case IntegrityError():
            logger.error("A constraint refused a write: %s", exc)
            return Conflict(CHANGED_MEANWHILE)
        # What Django 5.2 raises, with no class of its own, when the row to be saved is gone.
        case DatabaseError() if "did not affect any rows" in str(exc):
            return Conflict(CHANGED_MEANWHILE)
    return None


def _wants_html(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/") and request.accepts("text/html")


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(Invalid("Bad request"))


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_html(request):
        return defaults.permission_denied(request, exception)
    return problem_response(Forbidden("You do not have permission to perform this action"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: the admin's forms carry a token, and this one did not."""
    if _wants_html(request):
        return csrf.csrf_failure(request, reason)
    return problem_response(Forbidden("CSRF verification failed"))


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_html(request):
        return defaults.page_not_found(request, exception)
    return problem_response(NotFound("Not found"))


def handler500(request: HttpRequest) -> HttpResponse:
    """The answer to what no one caught: it tells nothing of the inside; the log has it all."""
    error = _domain_error(sys.exc_info()[1])
    if error is not None:
        return problem_response(error)
    if _wants_html(request):
        return defaults.server_error(request)
    body = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
    return JsonResponse(body, status=500, content_type=PROBLEM_TYPE)
