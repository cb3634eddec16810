"""Throttles. The database counts, so they hold across all workers of all machines."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from aimessage.db.rate_windows import count_request
from aimessage.server.clients import client_address, client_network

if TYPE_CHECKING:  # at run time it loads the settings' throttles
    from rest_framework.views import APIView


def seconds_to_wait(scope: str, ident: str) -> float | None:
    """Counts a request; returns None if it may pass, else the seconds until the next one may."""
    rate: tuple[int, int] | None = settings.THROTTLE_RATES[scope]
    if rate is None:
        return None
    limit, seconds = rate
    count, left = count_request(f"{scope}:{ident}", seconds=seconds)
    return None if count <= limit else left


def client_ident(request: HttpRequest) -> str:
    return client_network(client_address(request)) or "-"


class Throttle(BaseThrottle):
    """Lets `settings.THROTTLE_RATES[scope]` through per client address."""

    scope = ""
    retry_after = 0.0

    def get_ident(self, request: Request) -> str:
        return client_ident(request._request)

    def allow_request(self, request: Request, view: "APIView") -> bool:
        wait = seconds_to_wait(self.scope, self.get_ident(request))
        self.retry_after = wait or 0.0
        return wait is None

    def wait(self) -> float:
        return self.retry_after


class UserThrottle(Throttle):
    """Counts per user instead."""

    def get_ident(self, request: Request) -> str:
        return str(request.user.pk)


class SearchThrottle(UserThrottle):
    """Counts requests for a list with `search`, which cost the database more than others."""

    scope = "search"

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if "search" not in request.query_params or not request.user.is_authenticated:
            return True
        return super().allow_request(request, view)


class PeopleThrottle(UserThrottle):
    """Counts requests that look people up, block or unblock them."""

    scope = "people"
