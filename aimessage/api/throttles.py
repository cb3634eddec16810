"""Throttles that hold across all workers of all machines, since the database counts."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from aimessage.db.counting import count_request
from aimessage.server.clients import client_address


class Throttle(BaseThrottle):
    """Lets `settings.THROTTLE_RATES[scope]` through per client address."""

    scope = ""
    retry_after = 0.0

    def get_ident(self, request: Request) -> str:
        return client_address(request._request) or "-"

    def allow_request(self, request: Request, view: APIView) -> bool:
        rate: tuple[int, int] | None = settings.THROTTLE_RATES[self.scope]
        if rate is None:
            return True
        limit, seconds = rate
        key = f"{self.scope}:{self.get_ident(request)}"
        count, self.retry_after = count_request(key, seconds=seconds)
        return count <= limit

    def wait(self) -> float:
        return self.retry_after


class UserThrottle(Throttle):
    """Counts per user instead."""

    def get_ident(self, request: Request) -> str:
        return str(request.user.pk)
