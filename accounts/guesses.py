"""Limits wrong guesses at a password, code or token, per pair of username and client address.

LOCKOUT_FAILURES failures within LOCKOUT_WINDOW lock the pair out for that window (ASVS 2.2.1). Login, admin
and password change count together. Each failure is a row, so that the window can slide.

    with guessing(request, username) as guess:
        if not is_right(password):
            guess.wrong()
            raise ...
        guess.right()
        guess.forgive()
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import FailedLogin, User
from aimessage.api.guesses import QUEUE, LockedOut
from aimessage.api.problems import NotFound
from aimessage.db.batches import delete_in_batches
from aimessage.db.ids import first_id
from aimessage.db.rate_windows import count_request
from aimessage.db.text import fold
from aimessage.server.clients import client_address, client_network
from aimessage.server.logs import one_line
from aimessage.server.metrics import LOCKOUTS, count

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

#: How long a failure is kept, for looking into an attack.
KEEP_FAILURES = timedelta(days=30)
#: Characters. A longer name belongs to no account, and is not folded.
NAME_LENGTH = 400
#: Hexadecimal digits of a digest in a log line.
DIGEST_SHOWN = 16

logger = logging.getLogger("auth")
Failures = QuerySet[FailedLogin]


class Newest(TypedDict):
    newest: datetime


def digest_of(username: str) -> str:
    """A keyed digest of a name as typed, ignoring case.

    An unknown name is stored only in this form, because it may be a password typed into the wrong field.
    """
    key = fold(username) if len(username) <= NAME_LENGTH else username
    return salted_hmac("accounts.guesses", key.encode("utf-8", "replace"), algorithm="sha256").hexdigest()


@dataclass(frozen=True)
class Guess:
    request: HttpRequest
    username: str = field(repr=False)  # it may be a password
    digest: str
    address: str | None
    client: str

    def wrong(self) -> None:
        """Counts a failure. Raises LockedOut if parallel failures of the pair reached the limit meanwhile."""
        account = self._find_account()
        name = account.username_key if account else f"unknown:{self.digest[:DIGEST_SHOWN]}"
        locks = bool(settings.LOCKOUT_FAILURES) and self._store(account)
        logger.warning("login failed: username=%s address=%s", name, self.address)
        if locks:
            count(LOCKOUTS)
            logger.warning("login locked: username=%s address=%s", name, self.address)

    def right(self) -> None:
        """Raises LockedOut if parallel failures of the pair reached the limit meanwhile.

        Otherwise an attacker could send many guesses at once, and the right one would still stand out.
        """
        self.refuse_locked_out()

    def forgive(self) -> None:
        """Deletes the pair's failures. Call it only once password and code have both been proved."""
        self._failures.delete()

    def refuse_locked_out(self) -> int:
        """Returns how many failures count now. Raises LockedOut if that is the limit."""
        if not settings.LOCKOUT_FAILURES:
            return 0
        latest = list(self._failures.values_list("pk", "attempt_time")[: settings.LOCKOUT_FAILURES])
        counted = _count(latest)
        if counted < settings.LOCKOUT_FAILURES:
            return counted
        pk, newest = latest[0]
        left = newest + settings.LOCKOUT_WINDOW - timezone.now()
        raise LockedOut(retry_after=left.total_seconds(), claim=lambda: _claim(pk))

    @property
    def _failures(self) -> Failures:
        pair = FailedLogin.objects.filter(name_digest=self.digest, client=self.client)
        return pair.order_by("-attempt_time", "-pk")

    def _find_account(self) -> User | None:
        if len(self.username) > NAME_LENGTH:
            return None
        key = fold(self.username)
        # PostgreSQL takes no NUL, not even to look for it.
        return None if "\0" in key else User.objects.filter(username_key=key).first()

    def _store(self, account: User | None) -> bool:
        # Returns whether a lockout begins with this failure.
        try:
            return self._store_for(account)
        except IntegrityError:  # the account was deleted meanwhile
            return self._store_for(None)

    @transaction.atomic
    def _store_for(self, account: User | None) -> bool:
        self._lock_pair()
        locks = self.refuse_locked_out() + 1 >= settings.LOCKOUT_FAILURES
        FailedLogin.objects.create(
            user=account,
            name_digest=self.digest,
            client=self.client,
            ip_address=self.address,
            user_agent=one_line(self.request.headers.get("User-Agent", ""))[:255],
            path_info=one_line(self.request.path)[:255],
            locked_out=locks,
        )
        return locks

    def _lock_pair(self) -> None:
        # Parallel failures of the pair wait here until this transaction ends. Without that, each would count
        # before the others are stored. There is no row of the pair to lock, so a counter's row serves.
        pair = hashlib.sha256(f"{self.client} {self.digest}".encode()).hexdigest()
        count_request(f"lockout:{pair}", seconds=int(settings.LOCKOUT_WINDOW.total_seconds()))


@contextmanager
def guessing(request: HttpRequest, username: str) -> Iterator[Guess]:
    """Wraps the check of one guess; waits for a turn in the queue for hashing.

    Raises LockedOut while the pair is locked out, and Busy if the queue is too long. A failure is counted
    before the turn ends, so parallel guesses exceed LOCKOUT_FAILURES by at most one per other turn.
    """
    address = client_address(request)
    guess = Guess(request, username, digest_of(username), address, client_network(address))
    guess.refuse_locked_out()
    with QUEUE.turn():
        guess.refuse_locked_out()
        yield guess


def _count(latest: list[tuple[int, datetime]]) -> int:
    # `latest` is newest first. Failures count while the window after the newest is open.
    window = settings.LOCKOUT_WINDOW
    if not latest or timezone.now() - latest[0][1] >= window:
        return 0
    return sum(latest[0][1] - time <= window for _, time in latest)


def _claim(pk: int) -> bool:
    return FailedLogin.objects.filter(pk=pk, is_noted=False).update(is_noted=True) == 1


@dataclass(frozen=True)
class Lockout:
    """The client cannot log in with a username until then, whatever the password."""

    client: str
    until: datetime


def failures_of(user: User) -> Failures:
    # By name, so that failures from before the account existed count, too.
    return FailedLogin.objects.filter(name_digest=digest_of(user.username))


def lockouts_of(user: User) -> list[Lockout]:
    locked = _locking(failures_of(user)).order_by("-newest")
    window = settings.LOCKOUT_WINDOW
    return [Lockout(client, newest + window) for client, newest in locked.values_list("client", "newest")]


def locked_users() -> "QuerySet[FailedLogin, int | None]":
    # Reads only the failures of the last two windows, however long the table is.
    since = timezone.now() - 2 * settings.LOCKOUT_WINDOW
    recent = FailedLogin.objects.filter(pk__gte=first_id(FailedLogin, "attempt_time", since), user__gt=0)
    return _locking(recent).order_by().values_list("user", flat=True)


def _locking(failures: Failures) -> "QuerySet[WithAnnotations[FailedLogin, Newest]]":
    """One row per pair that is locked out now, annotated with the time of its `newest` failure.

    The same rule as `_count`, in SQL.
    """
    now, window = timezone.now(), settings.LOCKOUT_WINDOW
    pair = [F("name_digest"), F("client")]
    ranked = failures.filter(attempt_time__gt=now - 2 * window).annotate(
        rank=Window(RowNumber(), partition_by=pair, order_by=F("attempt_time").desc()),
        newest=Window(Max("attempt_time"), partition_by=pair),
    )
    return ranked.filter(
        rank=settings.LOCKOUT_FAILURES, newest__gt=now - window, attempt_time__gte=F("newest") - window
    )


@transaction.atomic
def forget_failures(failures: Failures, *, by: int | str) -> list[FailedLogin]:
    """Deletes failures, which lifts their lockouts. Returns those that were still there."""
    # The lock makes one of two parallel requests get a row, and record it.
    forgotten = list(failures.select_for_update(of=("self",)).order_by("pk").select_related("user"))
    FailedLogin.objects.filter(pk__in=[failure.pk for failure in forgotten]).delete()
    for name, client in sorted({(failure.username, failure.client) for failure in forgotten}):
        logger.info("failed logins forgotten: username=%s address=%s by=%s", name, client or None, by)
    return forgotten


def unlock(user: User, *, client: str, actor: User) -> None:
    """Lifts one lockout. Raises NotFound if it is over."""
    is_locked = any(lockout.client == client for lockout in lockouts_of(user))
    if not is_locked or not forget_failures(failures_of(user).filter(client=client), by=actor.pk):
        raise NotFound("There is no such lockout any more")


@transaction.atomic
def unlock_everywhere(user: User, *, by: int | str) -> None:
    """Lifts every lockout of `user`. Raises NotFound if there is none."""
    clients = [lockout.client for lockout in lockouts_of(user)]
    if not clients or not forget_failures(failures_of(user).filter(client__in=clients), by=by):
        raise NotFound("There is no such lockout any more")


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    before = timezone.now() - max(KEEP_FAILURES, settings.LOCKOUT_WINDOW)
    old = FailedLogin.objects.filter(attempt_time__lt=before)
    return {"failed logins": delete_in_batches(old, dry_run=dry_run)}
