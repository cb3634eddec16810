"""The middlewares: what applies to every request and response, whichever view answers."""

import re
from collections.abc import Awaitable, Callable
from secrets import token_hex

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from aimessage.api.problems import NUL_IN_QUERY, TOO_LARGE, Invalid, TooLarge, problem_response
from aimessage.server.logs import request_id
from aimessage.server.metrics import finish_request, scraping, start_request

GetResponse = Callable[[HttpRequest], HttpResponse]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ADMIN = "/admin"
#: Paths that keep their trailing slash: Django's own.
_SLASHED = (f"{_ADMIN}/", "/static/")


class AdminOnly(MiddlewareMixin):
    """Runs a middleware for the admin only: the API uses no cookies, and so no sessions."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if request.path_info.startswith(_ADMIN):
            return super().__call__(request)
        return self.get_response(request)


class AdminSessionMiddleware(AdminOnly, SessionMiddleware):
    pass


class AdminAuthenticationMiddleware(AdminOnly, AuthenticationMiddleware):
    pass


class AdminMessageMiddleware(AdminOnly, MessageMiddleware):
    pass


class CrossOriginMiddleware(CorsMiddleware):
    """Runs django-cors-headers for requests with an Origin header.

    Without one, a request does not come from a page of another origin (Fetch Standard, 3.2.3), and its answer
    needs only `Vary`.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase
        if "HTTP_ORIGIN" in request.META:
            response = super().__call__(request)
            return response
        response = self.get_response(request)
        patch_vary_headers(response, ["origin"])
        return response


class RequestIdMiddleware:
    """Puts the request's id on its response, and on every log line that is written for it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        name = given if _REQUEST_ID.fullmatch(given) else token_hex(16)
        token = request_id.set(name)
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
        response.headers["X-Request-ID"] = name
        return response


class HeadersMiddleware:
    """Keeps answers out of caches, and keeps browsers from guessing their content type.

    SecurityMiddleware sets `nosniff` too, but not on the errors that it raises itself.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if "HTTP_AUTHORIZATION" in request.META:
            response.headers["Cache-Control"] = "no-store"
        else:
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class MetricsMiddleware:
    """Counts every request, and serves `/metrics` to those who may read it; others get a 404."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == scraping.PATH and scraping.may_scrape(request):
            return scraping.scrape()
        started = start_request()
        response = self.get_response(request)
        match = request.resolver_match
        route = None if match is None else match.route
        finish_request(started, request.method, route, response.status_code)
        return response


class RequestLimitsMiddleware:
    """Refuses bodies over the limit and NUL in the query string before any view sees them."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return problem_response(Invalid("Content-Length is not a number"))
        if length > settings.MAX_BODY_SIZE:
            limit = settings.MAX_BODY_SIZE // 1024
            return problem_response(TooLarge(TOO_LARGE.format(limit=limit)))
        if "\0" in request.META.get("QUERY_STRING", "").replace("%00", "\0"):
            return problem_response(Invalid(NUL_IN_QUERY))
        return self.get_response(request)


class TrailingSlashMiddleware:
    """Answers a path with one trailing slash like the path without it, and does not redirect."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if len(path) > 1 and path.endswith("/") and not path.startswith(_SLASHED):
            request.path_info = path[:-1]
        return self.get_response(request)
