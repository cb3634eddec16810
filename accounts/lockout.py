"""Login lockout: so many wrong passwords for one username from one address, and both must wait.

django-axes watches every login, API and admin alike, and asks here. Its own handler counts up in one
row, where failures that lie hours apart add up; here each failure is a row, and what counts is how
many lie within the window before the last one (ASVS 2.2.1).
"""

import logging
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessFailureLog
from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import User
from aimessage.clients import client_address
from aimessage.fields import fold
from aimessage.problems import TooManyRequests, problem_response

MESSAGE = "Too many failed logins, try again later"
#: Failures outlive their use by this much, for whoever looks into an attack.
KEEP_FAILURES = timedelta(days=30)

logger = logging.getLogger("auth")
Credentials = dict[str, Any] | None


def locked_name(request: HttpRequest | None, credentials: Credentials) -> str:
    """The username as the lockout knows it, cut to what its column holds."""
    return fold((credentials or {}).get("username") or "")[:255]


class LockoutHandler(AxesDatabaseHandler):
    """django-axes' handler, with a sliding window and nothing stored but the failures themselves."""

    def get_failures(self, request: HttpRequest, credentials: Credentials = None) -> int:
        """How many failures lie within the window that ends with the last, 0 once that is over."""
        failures = _failures(request, credentials)
        times = list(failures.values_list("attempt_time", flat=True)[: settings.AXES_FAILURE_LIMIT])
        window = settings.AXES_COOLOFF_TIME
        if not times or timezone.now() - times[0] >= window:
            return 0
        return sum(times[0] - time <= window for time in times)

    def user_login_failed(
        self,
        sender: Any,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        if request is None:
            return
        request.axes_credentials = credentials  # type: ignore[attr-defined]
        if request.axes_locked_out:  # type: ignore[attr-defined]
            return
        name, address = locked_name(request, credentials), client_address(request)
        AccessFailureLog.objects.create(
            username=name,
            ip_address=address,
            user_agent=request.headers.get("User-Agent", "")[:255],
            path_info=request.path[:255],
        )
        logger.warning("login failed: username=%s address=%s", name, address)
        if self.get_failures(request, credentials) >= settings.AXES_FAILURE_LIMIT:
            logger.warning("login locked: username=%s address=%s", name, address)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        _failures(request, {"username": user.get_username()}).delete()

    def user_logged_out(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is counted for a logout."""

    def reset_attempts(
        self,
        *,
        ip_address: str | None = None,
        username: str | None = None,
        ip_or_username: bool = False,
    ) -> int:
        """Lifts lockouts; `manage.py axes_reset` and its variants end here."""
        wanted = {"ip_address": ip_address, "username": username and fold(username)}
        given = [Q(**{field: value}) for field, value in wanted.items() if value]
        match = Q()
        for condition in given:
            match = match | condition if ip_or_username else match & condition
        count: int = AccessFailureLog.objects.filter(match).delete()[0]
        return count


def _failures(request: HttpRequest, credentials: Credentials) -> "QuerySet[AccessFailureLog]":
    pair = {"username": locked_name(request, credentials), "ip_address": client_address(request)}
    return AccessFailureLog.objects.filter(**pair).order_by("-attempt_time")


def locked_out(request: HttpRequest, credentials: Credentials) -> TooManyRequests:
    """The error that says how long the lockout of these credentials still lasts."""
    last = _failures(request, credentials).values_list("attempt_time", flat=True).first()
    until = (last or timezone.now()) + settings.AXES_COOLOFF_TIME
    return TooManyRequests(MESSAGE, retry_after=(until - timezone.now()).total_seconds())


def lockout_response(
    request: HttpRequest, response: HttpResponse | None, credentials: Credentials
) -> HttpResponse:
    """django-axes' answer to a locked login: a page in the admin, a problem elsewhere."""
    error = locked_out(request, credentials)
    if not request.path.startswith("/admin/"):
        return problem_response(error)
    minutes = -(-int(error.headers["Retry-After"]) // 60)
    page = render(request, "admin/locked_out.html", {"minutes": minutes}, status=error.status)
    page.headers.update(error.headers)
    return page
