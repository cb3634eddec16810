"""Registers, changes, disables, promotes and deletes users.

`actor` is the superuser who acts. Nobody may disable, demote or delete themselves, nor the last superuser.
"""

import logging
from collections.abc import Iterable

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.events import USER_CREATED, USER_DELETED, USER_DISABLED, USER_UPDATED, EndReason
from accounts.guesses import digest_of
from accounts.models import (
    FailedLogin,
    Invitation,
    PendingDeletion,
    PendingLogin,
    SecondFactor,
    Session,
    User,
)
from accounts.passwords import normalize_password
from accounts.services.invitations import check_invited, use_invitation
from accounts.services.mails import ask_to_verify, notify
from accounts.services.proof import WRONG_PASSWORD
from accounts.services.roles import give_role, update_staff_flag
from accounts.services.sessions import end_sessions, log_out_everywhere
from aimessage.api.problems import CHANGED_MEANWHILE, Conflict, Forbidden, Invalid, Reason
from aimessage.audit.acting import record_deletion
from aimessage.db.bounds import allow
from aimessage.events.log import record
from aimessage.mail.models import Mail
from aimessage.models import violated

#: By field, in the order of precedence. A key is also part of the name, or of the columns, of the constraint.
TAKEN = {
    "username": Reason("Username already registered", "taken", field="username"),
    "email": Reason("Email already registered", "taken", field="email"),
    "phone_number": Reason("Phone number already registered", "taken", field="phone_number"),
}

LAST_SUPERUSER = Reason("The last superuser must stay", "last_superuser")

#: Seconds. One statement updates every message that the user ever wrote.
DELETION_SECONDS = 60

#: Attempts of a password change, while logins store a new hash of the same password.
TRIES = 3

logger = logging.getLogger("auth")


def register_user(
    *,
    username: str,
    email: str,
    password: str,
    full_name: str | None = None,
    phone_number: str | None = None,
    invitation: str = "",
) -> User:
    """Creates an account.

    Raises Invalid if the username, address or number is taken or the invitation is not valid, and Forbidden
    if an invitation is required. A failed registration does not use the invitation up.
    """
    check_invited(invitation)
    user = User(
        username=User.normalize_username(username),
        email=User.objects.normalize_email(email),
        full_name=full_name,
        phone_number=phone_number,
    )
    # Hashed before a lock is taken, because it takes a quarter of a second.
    user.set_password(password)
    with transaction.atomic():
        used = use_invitation(invitation, email=user.email) if invitation else None
        save_unique(user)
        if used and used.role:
            give_role(user, role=used.role, actor=used.created_by)
        if used and used.email_key:
            # The invitation was mailed to that address, so the user can read its mail.
            user.email_verified_at = timezone.now()
            user.save(update_fields=["email_verified_at"])
        else:
            ask_to_verify(user)
    by = f" invitation={used.pk}" if used else ""
    logger.info("registered: user=%s%s", user.pk, by)
    return user


def save_unique(user: User, *, fields: Iterable[str] | None = None) -> None:
    """Saves `user`. Raises Invalid if another user has the username, address or phone number."""
    try:
        with transaction.atomic():
            kind = USER_CREATED if user._state.adding else USER_UPDATED
            user.save(update_fields=fields)
            record(kind, data={"user_id": user.pk})
    except IntegrityError as error:
        field = _first_taken(user) or _field_of(violated(error))
        if field is None:
            raise
        raise Invalid(TAKEN[field]) from error


def _first_taken(user: User) -> str | None:
    # The error names one violated constraint, which differs by database; the answer must not.
    others = User.objects.exclude(pk=user.pk)
    for field in TAKEN:
        column = User.KEYS.get(field, field)
        if others.filter(**{column: getattr(user, column)}).exists():
            return field
    return None


def _field_of(constraint: str) -> str | None:
    # For a value that was freed between the error and the query.
    return next((field for field in TAKEN if field in constraint), None)


def change_password(user: User, *, current: str, new: str, keep: Session) -> None:
    """Sets a new password and ends every session but `keep`. The caller has just checked `current`.

    Raises Invalid or Conflict if the password was changed meanwhile.
    """
    fresh = make_password(normalize_password(new))
    for _ in range(TRIES):
        proved = user.password
        if store_password(user, fresh, keep=keep, expected=proved):
            return
        user.refresh_from_db(fields=["password"])
        if not user.has_usable_password() or not user.check_password(current):
            raise Invalid(WRONG_PASSWORD)
    raise Conflict(CHANGED_MEANWHILE)


def set_password(
    user: User, password: str, *, keep: Session | None = None, expected: str | None = None
) -> None:
    """Sets a password and ends every session of the user but `keep`.

    Raises Conflict if the stored hash is not `expected` any more.
    """
    # Hashed before a lock is taken, because it takes a quarter of a second.
    if not store_password(user, make_password(normalize_password(password)), keep=keep, expected=expected):
        raise Conflict(CHANGED_MEANWHILE)


@transaction.atomic
def store_password(user: User, hashed: str, *, keep: Session | None, expected: str | None) -> bool:
    """Like set_password, given the new hash. Returns False if the stored hash is not `expected` any more."""
    # Closes the race with a login, which takes this lock before it opens a session.
    stored = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if stored is None or (expected is not None and stored.password != expected):
        return False
    user.password = hashed
    user.save(update_fields=["password", "updated_at"])
    PendingLogin.objects.filter(user=user).delete()
    # Wrong codes in a row came from somebody who knew the old password.
    SecondFactor.objects.filter(user=user).update(failures=0)
    sessions = Session.objects.filter(user=user)
    end_sessions(sessions.exclude(pk=keep.pk) if keep else sessions, reason=EndReason.PASSWORD_CHANGED)
    notify(user, "password_changed")
    logger.info("password changed: user=%s", user.pk)
    return True


def require_person(user: User) -> None:
    if user.kind != User.Kind.PERSON:
        raise Forbidden("Only a person can work in the admin")


def _refuse_oneself(user: User, actor: User, what: str) -> None:
    if user.pk == actor.pk:
        raise Forbidden(f"You cannot {what} yourself")


def keep_a_superuser(user: User) -> None:
    """Raises Forbidden if `user` is the last superuser. Locks all superusers until commit."""
    # Locked in one order, so that two superusers who demote each other do not deadlock.
    superusers = User.objects.superusers().select_for_update(no_key=True).order_by("pk")
    if [superuser.pk for superuser in superusers] == [user.pk]:
        raise Forbidden(LAST_SUPERUSER)


@transaction.atomic
def disable_user(user: User, *, actor: User) -> None:
    """Ends every session and refuses logins. Raises Forbidden for oneself and for the last superuser."""
    _refuse_oneself(user, actor, "disable")
    keep_a_superuser(user)
    set_flags(user, by=actor.pk, is_active=False)
    log_out_everywhere(user, reason=EndReason.DISABLED)


@transaction.atomic
def enable_user(user: User, *, actor: User) -> None:
    set_flags(user, by=actor.pk, is_active=True)
    PendingDeletion.objects.filter(user=user).delete()


@transaction.atomic
def grant_superuser(user: User, *, actor: User) -> None:
    require_person(user)
    set_flags(user, by=actor.pk, is_superuser=True, is_staff=True)


@transaction.atomic
def withdraw_superuser(user: User, *, actor: User) -> None:
    """Also ends access to the admin, unless a role grants it.

    Raises Forbidden for oneself and for the last superuser.
    """
    _refuse_oneself(user, actor, "demote")
    keep_a_superuser(user)
    set_flags(user, by=actor.pk, is_superuser=False)
    update_staff_flag(User.objects.filter(pk=user.pk))
    user.refresh_from_db(fields=["is_staff"])


@transaction.atomic
def delete_user(user: User, *, actor: User | None) -> None:
    """Deletes an account; `actor` is None if its owner asked for it.

    Recipients keep its messages, without a sender. Afterwards no table contains its names, address or phone
    number, not even the audit trail. Raises Forbidden for oneself and for the last superuser.
    """
    if actor is not None:
        _refuse_oneself(user, actor, "delete")
    keep_a_superuser(user)
    pk = user.pk
    names = (user.username, user.email, user.phone_number, user.full_name)
    typed = {digest_of(text) for text in names if text}
    FailedLogin.objects.filter(name_digest__in=typed).delete()
    # They hold the address.
    Invitation.objects.filter(email_key=user.email_key).delete()
    waiting = Mail.objects.filter(user=None, state=Mail.State.WAITING).exclude(kind="deletion_done")
    for address in filter(None, (user.email, user.email_pending)):
        waiting.filter(address__iexact=address).delete()
    record_deletion(user, actor=actor)
    with allow(DELETION_SECONDS):
        user.delete()
    record(USER_DELETED, data={"user_id": pk})
    logger.info("deleted: user=%s by=%s", pk, actor.pk if actor else None)


def set_flags(user: User, *, by: int, **flags: bool) -> None:
    """Saves the `flags` that change, and logs them. Checks no rule: the caller does."""
    changed = [name for name, value in flags.items() if getattr(user, name) != value]
    if not changed:
        return
    for name in changed:
        setattr(user, name, flags[name])
    user.save(update_fields=[*changed, "updated_at"])
    disabled = "is_active" in changed and not user.is_active
    record(USER_DISABLED if disabled else USER_UPDATED, data={"user_id": user.pk})
    said = " ".join(f"{name}={flags[name]}" for name in changed)
    logger.info("changed: user=%s %s by=%s", user.pk, said, by)
