"""Turns exceptions into problem answers: DRF's exception handler, and Django's error views for the rest."""

import logging
import sys
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import render
from django.views import csrf, defaults
from rest_framework import exceptions
from rest_framework.fields import get_error_detail
from rest_framework.response import Response
from rest_framework.views import set_rollback

from aimessage.api.problems import (
    BROKE_OFF,
    CHANGED_MEANWHILE,
    DATABASE_DOWN,
    FORBIDDEN,
    INTERNAL_ERROR,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    PROBLEM_TYPE,
    THROTTLED,
    TOO_LONG,
    Conflict,
    DomainError,
    Errors,
    Forbidden,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unreadable,
    document_of,
    flatten_errors,
    headers_of,
    headline,
    messages_of,
    problem,
    problem_response,
)
from aimessage.db.bounds import took_too_long

logger = logging.getLogger("django.request")


def exception_handler(exc: Exception, context: Mapping[str, object]) -> Response | None:
    headers: Mapping[str, str] = {}
    error = _domain_error(exc)
    if error is not None:
        status, body, headers = int(error.status), document_of(error), error.headers
    elif (errors := _validation_errors(exc)) is not None:
        status = 400
        body = problem(status, headline(errors), errors=errors)
    elif isinstance(exc, exceptions.APIException):
        status = exc.status_code
        body = problem(status, messages_of(exc.detail)[0])
    else:
        return None
    set_rollback()
    return Response(body, status=status, headers=headers_of(status, headers), content_type=PROBLEM_TYPE)


def _validation_errors(exc: Exception) -> Errors | None:
    if isinstance(exc, exceptions.ValidationError):
        return flatten_errors(exc.detail)
    if isinstance(exc, DjangoValidationError):
        return flatten_errors(get_error_detail(exc))
    return None


def _domain_error(exc: BaseException | None) -> DomainError | None:
    match exc:
        case DomainError():
            return exc
        case Http404() | exceptions.NotFound():
            return NotFound(NOT_FOUND)
        case PermissionDenied() | exceptions.PermissionDenied():
            return Forbidden(FORBIDDEN)
        case exceptions.NotAuthenticated():
            return Unauthenticated(NOT_AUTHENTICATED)
        case exceptions.AuthenticationFailed():
            return Unauthenticated(str(messages_of(exc.detail)[0]))
        case exceptions.ParseError():
            return Unreadable(str(exc.detail))
        case UnreadablePostError():
            return Unreadable(BROKE_OFF)
        case exceptions.Throttled():
            wait = max(1, ceil(getattr(exc, "wait", None) or 1))
            return TooManyRequests(THROTTLED.format(wait=wait), retry_after=wait)
        case OperationalError() if took_too_long(exc):
            logger.error("The database took too long: %s", exc)
            return Unavailable(TOO_LONG)
        case OperationalError() | InterfaceError():
            logger.error("The database does not answer: %s", exc)
            return Unavailable(DATABASE_DOWN)
        case IntegrityError():
            logger.error("A constraint refused a write: %s", exc)
            return Conflict(CHANGED_MEANWHILE)
        # Django 5.2 raises a plain DatabaseError when the row to be saved is gone.
        case DatabaseError() if "did not affect any rows" in str(exc):
            return Conflict(CHANGED_MEANWHILE)
    return None


def _wants_html(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/") and request.accepts("text/html")


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    # A page cannot be rendered for a host that was refused.
    if _wants_html(request) and not isinstance(exception, DisallowedHost):
        return render(request, "400.html", status=HTTPStatus.BAD_REQUEST)
    return problem_response(Invalid("Bad request"))


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_html(request):
        return defaults.permission_denied(request, exception)
    return problem_response(Forbidden(FORBIDDEN))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if _wants_html(request):
        return csrf.csrf_failure(request, reason)
    return problem_response(Forbidden("CSRF verification failed"))


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_html(request):
        return defaults.page_not_found(request, exception)
    return problem_response(NotFound(NOT_FOUND))


def handler500(request: HttpRequest) -> HttpResponse:
    # The answer says nothing about the cause; the log does.
    error = _domain_error(sys.exc_info()[1])
    if error is not None:
        return problem_response(error)
    if _wants_html(request):
        return defaults.server_error(request)
    body = problem(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_ERROR)
    return JsonResponse(body, status=500, content_type=PROBLEM_TYPE)
