"""Login lockout: so many wrong passwords for one username from one address, and both must wait.

django-axes watches every login, API and admin alike, and asks here. Its own handler counts up in one
row, where failures that lie hours apart add up; here each failure is a row, and what counts is how
many lie within the window before the last one (ASVS 2.2.1).
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import FailedLogin, User
from aimessage.api.problems import NotFound, Reason, TooManyRequests, problem_response
from aimessage.db.batches import delete_in_batches
from aimessage.db.counting import count_request
from aimessage.db.ids import first_id
from aimessage.db.text import fold
from aimessage.server.clients import client_address
from aimessage.server.logs import one_line
from aimessage.server.metrics import LOCKOUTS, count

LOCKED_OUT = Reason("Too many failed logins, try again later", "locked_out")
#: Failures outlive their use by this much, for whoever looks into an attack.
KEEP_FAILURES = timedelta(days=30)

#: Where logins of one pair wait for one another. Pairs that share a line lose nothing by it: passwords are
#: checked one after the other anyhow (accounts/hashers.py).
_LINES = [Lock() for _ in range(64)]

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
        with transaction.atomic():
            _stand_in_line(name, address)
            failures = self.get_failures(request, credentials)
            if failures >= settings.AXES_FAILURE_LIMIT:
                request.axes_locked_out = True  # type: ignore[attr-defined]
                return
            FailedLogin.objects.create(
                username=name,
                ip_address=address,
                user_agent=one_line(request.headers.get("User-Agent", "")[:255])[:255],
                path_info=request.path[:255],
                # The one with which a lockout begins.
                locked_out=failures + 1 >= settings.AXES_FAILURE_LIMIT,
            )
        logger.warning("login failed: username=%s address=%s", name, address)
        if failures + 1 >= settings.AXES_FAILURE_LIMIT:
            count(LOCKOUTS)
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
        count: int = FailedLogin.objects.filter(match).delete()[0]
        return count


def _stand_in_line(name: str, address: str | None) -> None:
    """Makes other failures of the pair wait until this transaction ends, by the lock on its row.

    Without it guesses in parallel would each count before the others are stored.
    """
    pair = hashlib.sha256(f"{address} {name}".encode()).hexdigest()
    count_request(f"lockout:{pair}", seconds=int(settings.AXES_COOLOFF_TIME.total_seconds()))


@contextmanager
def one_guess_at_a_time(request: HttpRequest | None, credentials: dict[str, Any]) -> Iterator[None]:
    """Around `authenticate`: within this process the next login of the pair waits until this one is judged.

    Each looks first whether the pair is locked out. Without the line as many guesses as arrive at once would
    all see that it is not, and have their passwords checked, which costs a processor's time. As it is,
    no more are checked than lock the pair out, and one in each of the other processes.
    """
    # So many that are refused at once need not wait, nor does whoever finds the database gone.
    if request is None or guessed_too_often(request, credentials):
        yield
        return
    pair = (locked_name(request, credentials), client_address(request))
    with _LINES[hash(pair) % len(_LINES)]:
        yield


def guessed_too_often(request: HttpRequest, credentials: dict[str, Any]) -> bool:
    """Whether other logins of the pair failed so often while this one's password was checked."""
    locked: bool = settings.AXES_ENABLED and AxesProxyHandler.is_locked(request, credentials)
    return locked


@dataclass(frozen=True)
class Lockout:
    """Where a username cannot log in from, whatever the password, and until when."""

    address: str | None
    until: datetime


def lockouts_of(user: User) -> list[Lockout]:
    """The lockouts of `user` that last, the longest first."""
    locked = _locking(FailedLogin.objects.filter(username=user.username_key)).order_by("-newest")
    window = settings.AXES_COOLOFF_TIME
    return [
        Lockout(address, newest + window) for address, newest in locked.values_list("ip_address", "newest")
    ]


def locked_names() -> "QuerySet[FailedLogin, str | None]":
    """The folded usernames, of accounts or not, that are locked out from any address.

    However long the table is, only the failures of the last two windows are read.
    """
    since = timezone.now() - 2 * settings.AXES_COOLOFF_TIME
    recent = FailedLogin.objects.filter(pk__gte=first_id(FailedLogin, "attempt_time", since))
    return _locking(recent).order_by().values_list("username", flat=True)


def _locking(failures: "QuerySet[FailedLogin]") -> "QuerySet[FailedLogin]":
    """Of each pair that is locked out one failure, with the time of its `newest`.

    As get_failures has it: so many within the window before the newest, and that window not over.
    """
    now, window = timezone.now(), settings.AXES_COOLOFF_TIME
    pair = [F("username"), F("ip_address")]
    ranked = failures.filter(attempt_time__gt=now - 2 * window).annotate(
        rank=Window(RowNumber(), partition_by=pair, order_by=F("attempt_time").desc()),
        newest=Window(Max("attempt_time"), partition_by=pair),
    )
    return ranked.filter(
        rank=settings.AXES_FAILURE_LIMIT, newest__gt=now - window, attempt_time__gte=F("newest") - window
    )


@transaction.atomic
def forget_failures(failures: "QuerySet[FailedLogin]", *, actor: User) -> int:
    """Deletes `failures`, which lifts the lockouts that they made; returns how many there were."""
    pairs = set(failures.order_by().values_list("username", "ip_address"))
    count: int = failures.delete()[0]
    for name, address in pairs:
        logger.info("failed logins forgotten: username=%s address=%s by=%s", name, address, actor.pk)
    return count


def unlock(user: User, *, address: str | None, actor: User) -> None:
    """Lifts the lockout of `user` at `address`. Raises NotFound where there is none any more."""
    failures = FailedLogin.objects.filter(username=user.username_key, ip_address=address)
    if not forget_failures(failures, actor=actor):
        raise NotFound("There is no such lockout any more")


@transaction.atomic
def unlock_everywhere(user: User, *, actor: User) -> None:
    """Lifts every lockout of `user`."""
    for lockout in lockouts_of(user):
        unlock(user, address=lockout.address, actor=actor)


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes failures that are neither counted nor of interest; returns how many rows of what."""
    before = timezone.now() - max(KEEP_FAILURES, settings.AXES_COOLOFF_TIME)
    old = FailedLogin.objects.filter(attempt_time__lt=before)
    return {"failed logins": delete_in_batches(old, dry_run=dry_run)}


def _failures(request: HttpRequest, credentials: Credentials) -> "QuerySet[FailedLogin]":
    pair = {"username": locked_name(request, credentials), "ip_address": client_address(request)}
    return FailedLogin.objects.filter(**pair).order_by("-attempt_time")


def locked_out(request: HttpRequest, credentials: Credentials) -> TooManyRequests:
    """The error that says how long the lockout of these credentials still lasts."""
    last = _failures(request, credentials).values_list("attempt_time", flat=True).first()
    until = (last or timezone.now()) + settings.AXES_COOLOFF_TIME
    return TooManyRequests(LOCKED_OUT, retry_after=(until - timezone.now()).total_seconds())


def lockout_response(
    request: HttpRequest, response: HttpResponse | None, credentials: Credentials
) -> HttpResponse:
    """django-axes' answer to a locked login: a page in the admin, a problem elsewhere."""
    error = locked_out(request, credentials)
    if not request.path.startswith("/admin/"):
        return problem_response(error)
    minutes = -(-int(error.headers["Retry-After"]) // 60)
    page = render(request, "admin/locked_out.html", {"minutes": minutes}, status=error.status)
    for name, value in error.headers.items():
        page.headers[name] = value
    return page
