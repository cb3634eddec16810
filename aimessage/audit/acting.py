"""Records what somebody does in the admin in the audit trail, in the same transaction.

`acting()` collects the rows and appends them as the last step of its transaction, so that the head of the
chain is locked after everything that the act itself locks. A rollback leaves no rows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest

from aimessage.audit.models import ACTOR_LENGTH, LABEL_LENGTH, SENTENCE_LENGTH, Entry
from aimessage.audit.services import append_entries
from aimessage.server.clients import client_address
from aimessage.server.logs import one_line, request_id

_gathered: ContextVar[list[Entry] | None] = ContextVar("gathered", default=None)


@contextmanager
def acting() -> Iterator[None]:
    """A transaction that appends the recorded rows when it ends.

    A nested one is a savepoint: rolling it back drops its rows.
    """
    outer, entries = _gathered.get(), list[Entry]()
    token = _gathered.set(entries)
    try:
        with transaction.atomic():
            yield
            if outer is None:
                append_entries(entries)
    finally:
        _gathered.reset(token)
    if outer is not None:
        outer += entries


def record(
    request: HttpRequest | None,
    act: str,
    sentence: str,
    *,
    target: Model | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    actor: AbstractBaseUser | None = None,
    actor_name: str = "",
) -> None:
    """Adds a row to the audit trail.

    `act` is a stable name such as `user.disabled`, `sentence` is for people. The actor is `actor_name` if
    given (a command, or a name that nobody logged in with), else `actor`, else the user who is logged in.
    `before` and `after` are JSON without floats, and never contain passwords, tokens or texts of messages.
    """
    user = None if actor_name or request is None else actor or request.user
    entry = Entry(
        actor_id=user.pk if user else None,
        actor_name=_line(user.get_username() if user else actor_name, ACTOR_LENGTH),
        act=act,
        sentence=_line(sentence, SENTENCE_LENGTH),
        address=(client_address(request) if request else None) or "",
        request_id=request_id.get(),
        before=before or {},
        after=after or {},
    )
    if target is not None:
        entry.target_kind = target._meta.label_lower
        entry.target_id = str(target.pk)
        entry.target_label = _line(str(target), LABEL_LENGTH)
    _gather(entry)


def record_deletion(user: Any, *, actor: AbstractBaseUser | None) -> None:
    """Records that an account was deleted, which erases its personal data from the trail.

    Called by the service that deletes, in its transaction. If the admin's page also records the deletion,
    only the page's row is kept.
    """
    entry = Entry(
        actor_id=actor.pk if actor else None,
        actor_name=_line(actor.get_username(), ACTOR_LENGTH) if actor else "",
        act="user.deleted",
        sentence="Deleted." if actor else "Deleted at its owner's wish.",
        request_id=request_id.get(),
        target_kind=user._meta.label_lower,
        target_id=str(user.pk),
    )
    entry.is_implied = True
    known = (user.username, user.email, user.full_name, user.phone_number)
    entry.known_as = frozenset(text for text in known if text)
    _gather(entry)


def _gather(entry: Entry) -> None:
    with acting():
        gathered = _gathered.get()
        assert gathered is not None  # noqa: S101  acting() has just made it
        gathered.append(entry)


def is_acting() -> bool:
    return _gathered.get() is not None


def _line(text: str, length: int) -> str:
    # Without control characters: PostgreSQL's text cannot hold NUL.
    return one_line(text[:length])[:length]
