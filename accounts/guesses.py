"""One guard for every guess: a password, code or token that is tried for a name from an address.

So many wrong ones within a time lock the pair out for as long, and every place that asks for one counts
together: login, admin, password change. What counts is how many failures lie within the window before the
last one (ASVS 2.2.1), so each is a row.

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

#: Failures outlive their use by this much, for whoever looks into an attack.
KEEP_FAILURES = timedelta(days=30)
#: Characters of a name, as it was sent, that are folded; no account has a longer one.
NAME_LENGTH = 400
#: Hexadecimal digits of a digest that log lines show.
DIGEST_SHOWN = 16

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

logger = logging.getLogger("auth")
Failures = QuerySet[FailedLogin]


class Newest(TypedDict):
    newest: datetime


def digest_of(username: str) -> str:
    """A keyed digest of a name as it was typed, without regard to case.

    A name that nobody has is kept as this alone: it may be a password, typed into the wrong field.
    """
    key = fold(username) if len(username) <= NAME_LENGTH else username
    return salted_hmac("accounts.guesses", key.encode("utf-8", "replace"), algorithm="sha256").hexdigest()


@dataclass(frozen=True)
class Guess:
    """One guess at something of `username` by the client that sent `request`."""

    request: HttpRequest
    username: str = field(repr=False)  # it may be a password
    digest: str
    address: str | None
    client: str

    def wrong(self) -> None:
        """Counts a failure. Raises LockedOut where others of the pair reached the limit meanwhile."""
        account = self._find_account()
        name = account.username_key if account else f"unknown:{self.digest[:DIGEST_SHOWN]}"
        locks = bool(settings.LOCKOUT_FAILURES) and self._store(account)
        logger.warning("login failed: username=%s address=%s", name, self.address)
        if locks:
            count(LOCKOUTS)
            logger.warning("login locked: username=%s address=%s", name, self.address)

    def right(self) -> None:
        """Raises LockedOut where others of the pair reached the limit meanwhile.

        Of many guesses in parallel the right one must not be told apart.
        """
        self.refuse_locked_out()

    def forgive(self) -> None:
        """Forgets the failures of the pair, once whoever guessed has proved everything that is asked for."""
        self._failures.delete()

    def refuse_locked_out(self) -> int:
        """Raises LockedOut while the pair is locked out; else returns how many failures count by now."""
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
        """Adds the row of a failure; whether a lockout begins with it."""
        try:
            return self._store_for(account)
        except IntegrityError:  # the account was deleted meanwhile
            return self._store_for(None)

    @transaction.atomic
    def _store_for(self, account: User | None) -> bool:
        self._stand_in_line()
        # The one with which a lockout begins.
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

    def _stand_in_line(self) -> None:
        """Makes other failures of the pair wait until this transaction ends, by the lock on its row.

        Without it guesses in parallel would each count before the others are stored.
        """
        pair = hashlib.sha256(f"{self.client} {self.digest}".encode()).hexdigest()
        count_request(f"lockout:{pair}", seconds=int(settings.LOCKOUT_WINDOW.total_seconds()))


@contextmanager
def guessing(request: HttpRequest, username: str) -> Iterator[Guess]:
    """Around the check of a guess, which waits here for its turn to hash.

    Raises LockedOut while the pair is locked out, Busy where the turn would not come within a moment. The
    failure is counted before the next turn begins, so that no more guesses are checked than lock the pair
    out, and one in each other place where something is checked.
    """
    address = client_address(request)
    guess = Guess(request, username, digest_of(username), address, client_network(address))
    guess.refuse_locked_out()
    with QUEUE.turn():
        guess.refuse_locked_out()
        yield guess


def _count(latest: list[tuple[int, datetime]]) -> int:
    """How many of the `latest` failures lie within the window before the last, 0 once that is over."""
    window = settings.LOCKOUT_WINDOW
    if not latest or timezone.now() - latest[0][1] >= window:
        return 0
    return sum(latest[0][1] - time <= window for _, time in latest)


def _claim(pk: int) -> bool:
    return FailedLogin.objects.filter(pk=pk, is_noted=False).update(is_noted=True) == 1


@dataclass(frozen=True)
class Lockout:
    """Where a username cannot log in from, whatever the password, and until when."""

    client: str
    until: datetime


def failures_of(user: User) -> Failures:
    """By the name, so that failures from before the account was made count as well."""
    return FailedLogin.objects.filter(name_digest=digest_of(user.username))


def lockouts_of(user: User) -> list[Lockout]:
    """The lockouts of `user` that last, the longest first."""
    locked = _locking(failures_of(user)).order_by("-newest")
    window = settings.LOCKOUT_WINDOW
    return [Lockout(client, newest + window) for client, newest in locked.values_list("client", "newest")]


def locked_users() -> "QuerySet[FailedLogin, int | None]":
    """The ids of users that are locked out from any address.

    However long the table is, only the failures of the last two windows are read.
    """
    since = timezone.now() - 2 * settings.LOCKOUT_WINDOW
    recent = FailedLogin.objects.filter(pk__gte=first_id(FailedLogin, "attempt_time", since), user__gt=0)
    return _locking(recent).order_by().values_list("user", flat=True)


def _locking(failures: Failures) -> "QuerySet[WithAnnotations[FailedLogin, Newest]]":
    """One row per pair that is locked out now, annotated with the time of its `newest` failure.

    As Guess counts: so many within the window before the newest, and that window not over.
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
    """Deletes `failures`, which lifts the lockouts that they made; returns those that were still there."""
    # The lock lets one of two who forget the same rows have them, who alone records it.
    forgotten = list(failures.select_for_update(of=("self",)).order_by("pk").select_related("user"))
    FailedLogin.objects.filter(pk__in=[failure.pk for failure in forgotten]).delete()
    for name, client in sorted({(failure.username, failure.client) for failure in forgotten}):
        logger.info("failed logins forgotten: username=%s address=%s by=%s", name, client or None, by)
    return forgotten


def unlock(user: User, *, client: str, actor: User) -> None:
    """Lifts the lockout of `user` for `client`. Raises NotFound where there is none any more."""
    is_locked = any(lockout.client == client for lockout in lockouts_of(user))
    if not is_locked or not forget_failures(failures_of(user).filter(client=client), by=actor.pk):
        raise NotFound("There is no such lockout any more")


@transaction.atomic
def unlock_everywhere(user: User, *, by: int | str) -> None:
    """Lifts every lockout of `user`. Raises NotFound where there is none any more."""
    clients = [lockout.client for lockout in lockouts_of(user)]
    if not clients or not forget_failures(failures_of(user).filter(client__in=clients), by=by):
        raise NotFound("There is no such lockout any more")


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    """Deletes failures that are neither counted nor of interest; returns how many rows of what."""
    before = timezone.now() - max(KEEP_FAILURES, settings.LOCKOUT_WINDOW)
    old = FailedLogin.objects.filter(attempt_time__lt=before)
    return {"failed logins": delete_in_batches(old, dry_run=dry_run)}
