"""Deletion of an account by its owner: it is disabled at once, and deleted after settings.DELETION_DELAY.

Until then the deletion can be cancelled.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.backends import check_nobodys_password
from accounts.events import EndReason
from accounts.guesses import Guess, guessing
from accounts.models import PendingDeletion, PersonalToken, User
from accounts.names import is_too_long
from accounts.services.codes import WRONG_CODE, check_code, has_second_factor
from accounts.services.mail_secrets import LINK_INVALID
from accounts.services.mails import notify
from accounts.services.pending_logins import SecondFactorRequired, begin_second_step
from accounts.services.sessions import WRONG_CREDENTIALS, log_out_everywhere
from accounts.services.tokens import revoke_tokens
from accounts.services.users import delete_user, keep_a_superuser, set_flags
from accounts.tokens import digest
from aimessage.api.problems import SESSION_ENDED, Conflict, Reason, Unauthenticated
from aimessage.audit.acting import acting

#: Seconds that a request may spend on a deletion. The sweep does the rest.
REQUEST_SECONDS = 20

DELETION_PENDING = Reason("This account will be deleted on 2026-01-16", "deletion_pending")
NOT_PENDING = Reason("This account is not to be deleted, or its time has come")

#: Each erases a batch of what a user, given by id, has sent, and returns its size; 0 when nothing is left.
#: Other apps add theirs.
erasers: list[Callable[[int], int]] = []

logger = logging.getLogger("auth")


def pending_sentence(pending: PendingDeletion) -> Reason:
    return Reason(f"This account will be deleted on {pending.deletion_at:%Y-%m-%d}", DELETION_PENDING.code)


def find_pending(user: User) -> PendingDeletion | None:
    return PendingDeletion.objects.filter(user=user).first()


def _cancellable(user: User) -> "QuerySet[PendingDeletion]":
    return PendingDeletion.objects.filter(user=user, deletion_at__gt=timezone.now())


def request_deletion(user: User, *, erases: bool) -> datetime | None:
    """Disables `user` and schedules the deletion. Returns its time, or None if it is done already.

    `erases`: their messages are deleted for the recipients, too. Raises Forbidden for the last superuser, and
    Unauthenticated if the account was deleted or disabled meanwhile.
    """
    deletion_at = _disable(user, erases=erases)
    if deletion_at > timezone.now():
        return deletion_at
    unfinished = _delete(user.pk, until=time.monotonic() + REQUEST_SECONDS) is None
    return deletion_at if unfinished else None


@transaction.atomic
def _disable(user: User, *, erases: bool) -> datetime:
    keep_a_superuser(user)
    # The second of two parallel requests waits here, and then finds the first one's deletion.
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    pending = find_pending(user)
    if pending is not None:
        return pending.deletion_at
    if current is None or not current.is_active:
        raise Unauthenticated(SESSION_ENDED)
    deletion_at = timezone.now() + settings.DELETION_DELAY
    PendingDeletion.objects.create(user=current, deletion_at=deletion_at, erases=erases)
    set_flags(current, by=user.pk, is_active=False)
    log_out_everywhere(current, reason=EndReason.DISABLED, note="deletion asked for")
    revoke_tokens(PersonalToken.objects.filter(user=current), reason="deletion asked for")
    notify(current, "deletion_begun", deletion_at=deletion_at)
    logger.info("deletion asked for: user=%s at=%s erases=%s", user.pk, deletion_at.isoformat(), erases)
    return deletion_at


def cancel_with_token(token: str) -> User:
    """Cancels the deletion that the mailed token belongs to. Raises Unauthenticated if there is none."""
    pending = PendingDeletion.objects.filter(token=digest(token)).select_related("user").first()
    if pending is None:
        raise Unauthenticated(LINK_INVALID)
    try:
        cancel_deletion(pending.user, by=pending.user_id)
    except Conflict as error:
        raise Unauthenticated(LINK_INVALID) from error
    return pending.user


def cancel_with_password(
    request: HttpRequest,
    *,
    username: str,
    password: str,
    code: str | None = None,
    recovery_code: str | None = None,
) -> User:
    """Cancels the deletion of the account with that name. Raises what check_credentials raises.

    For an account without a pending deletion the right password counts as a wrong guess, too; otherwise the
    answer would tell that the password is right.
    """
    if is_too_long(username):
        check_nobodys_password(password)
        raise Unauthenticated(WRONG_CREDENTIALS)
    with guessing(request, username) as guess:
        user = authenticate(request, username=username, password=password)
        if not isinstance(user, User) or not _cancellable(user).exists():
            guess.wrong()
            raise Unauthenticated(WRONG_CREDENTIALS)
        guess.right()
        if has_second_factor(user):
            _check_code(user, guess, code=code, recovery_code=recovery_code)
    try:
        cancel_deletion(user, by=user.pk)
    except Conflict as error:  # cancelled or deleted meanwhile
        raise Unauthenticated(WRONG_CREDENTIALS) from error
    guess.forgive()
    return user


def _check_code(user: User, guess: Guess, *, code: str | None, recovery_code: str | None) -> None:
    if not (code or recovery_code):
        raise SecondFactorRequired(begin_second_step(user))
    if not check_code(user, code=code, recovery_code=recovery_code):
        guess.wrong()
        raise Unauthenticated(WRONG_CODE)


@transaction.atomic
def cancel_deletion(user: User, *, by: int) -> None:
    """Enables the account again; its sessions stay ended.

    Raises Conflict if no deletion is pending, or if it is due, because it may be running already.
    """
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    cancelled, _ = _cancellable(user).delete()
    if current is None or not cancelled:
        raise Conflict(NOT_PENDING)
    set_flags(current, by=by, is_active=True)
    logger.info("deletion withdrawn: user=%s by=%s", user.pk, by)


def withdraw_deletion(user: User, *, actor: User) -> None:
    cancel_deletion(user, by=actor.pk)
    user.refresh_from_db(fields=["is_active"])


def _due() -> "QuerySet[PendingDeletion]":
    return PendingDeletion.objects.filter(deletion_at__lte=timezone.now(), user__is_active=False)


def _delete(pk: int, *, until: float = float("inf")) -> bool | None:
    """Deletes an account whose deletion is due, and returns whether it did.

    False if the deletion was cancelled, or done by another process, meanwhile. None if `until`, a value of
    time.monotonic(), came first.
    """
    due = _due().filter(pk=pk)
    pending = due.first()
    if pending is None:
        return False
    for erase in erasers if pending.erases else []:
        # A disabled account sends nothing, so this ends.
        while erase(pk):
            if time.monotonic() > until:
                return None
    with acting():
        user = User.objects.filter(pk=pk).first()
        if user is None:
            return False
        keep_a_superuser(user)
        # Superusers first, then the user: the order in which other services lock.
        User.objects.select_for_update().filter(pk=pk).first()
        if not due.exists():
            return False
        notify(user, "deletion_done")
        delete_user(user, actor=None)
    return True


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    due = _due().order_by("deletion_at")
    pks = list(due.values_list("pk", flat=True))
    deleted = len(pks) if dry_run else sum(bool(_delete(pk)) for pk in pks)
    return {"accounts whose time had come": deleted}
