"""One act and its rows, in one transaction.

Inside of `acting()` rows are gathered, and appended as the last step of its transaction: the head of the
chain is locked after all that the act itself locks. What is rolled back leaves no row.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

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
    """A transaction whose last step is to append the rows that were recorded in it.

    One within another is a savepoint, which takes its rows along when it is undone.
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
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    actor: Any = None,
    actor_name: str = "",
) -> None:
    """Adds a row to the audit trail: what `request` did, or without one the command `actor_name`.

    `act` is a stable name, as `user.disabled`, and `sentence` what a person reads. Who acted is
    `actor`, or who is logged in, or nobody but an `actor_name`. `before` and `after` are JSON without
    floats, and never hold a password, a token or the text of a message.
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
    with acting():
        gathered = _gathered.get()
        assert gathered is not None  # noqa: S101  acting() has just made it
        gathered.append(entry)


def record_deletion(user: Any, *, actor: Any) -> None:
    """Says that the account of `user` is deleted, so that the trail forgets what is personal of it.

    For the service that deletes, in its transaction: where a page says so too, its row stands alone.
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
    with acting():
        gathered = _gathered.get()
        assert gathered is not None  # noqa: S101  acting() has just made it
        gathered.append(entry)


def is_acting() -> bool:
    return _gathered.get() is not None


def _line(text: str, length: int) -> str:
    """`text` as a column takes it, without control characters: PostgreSQL's text cannot hold NUL."""
    return one_line(text[:length])[:length]
