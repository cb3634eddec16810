"""Makes and revokes personal tokens."""

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import PersonalToken, User
from accounts.personal_tokens import SHOWN_LENGTH, new_token
from accounts.querysets import PersonalTokenQuerySet
from accounts.services.mails import notify
from accounts.tokens import digest
from aimessage.api.problems import CHANGED_MEANWHILE, Conflict, Forbidden, Reason
from aimessage.db.batches import delete_in_batches

#: Live tokens of one user.
MAX_TOKENS = 50
#: How long a dead token is kept, for looking into a break-in.
KEEP_DEAD_TOKENS = timedelta(days=30)

LIMIT_REACHED = Reason(f"You have {MAX_TOKENS} tokens: revoke one first", "limit_reached")

logger = logging.getLogger("auth")


@transaction.atomic
def make_token(
    user: User, *, name: str, scopes: Iterable[str], expires_in_days: int | None = None
) -> tuple[PersonalToken, str]:
    """Makes a token and returns its row and its text, which is not stored.

    Without `expires_in_days` it never expires. The caller has just checked the password. Raises Forbidden if
    `user` has MAX_TOKENS live tokens, Conflict if the password was changed or the account disabled meanwhile.
    """
    # Without the lock, parallel requests could exceed the limit, or make a token after a password reset had
    # revoked all tokens.
    current = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if current is None or not current.is_active or current.password != user.password:
        raise Conflict(CHANGED_MEANWHILE)
    tokens = PersonalToken.objects.filter(user=user)
    tokens.dead_for(KEEP_DEAD_TOKENS).delete()
    now = timezone.now()
    if tokens.live(now).count() >= MAX_TOKENS:
        raise Forbidden(LIMIT_REACHED)
    raw = new_token()
    token = PersonalToken.objects.create(
        user=user,
        name=name,
        token=digest(raw),
        prefix=raw[:SHOWN_LENGTH],
        scopes=list(scopes),
        created_at=now,
        expires_at=None if expires_in_days is None else now + timedelta(days=expires_in_days),
    )
    notify(user, "token_made", name=token.name, scopes=token.scopes)
    logger.info("personal token made: user=%s token=%s scopes=%s", user.pk, token.pk, ",".join(token.scopes))
    return token, raw


def revoke_tokens(tokens: PersonalTokenQuerySet, *, reason: str) -> int:
    """Revokes the live ones of `tokens` at once. Returns how many."""
    now, revoked = timezone.now(), 0
    for pk, user_id in list(tokens.live(now).values_list("pk", "user_id")):
        # The condition makes one of two parallel requests revoke the token, and log it.
        if PersonalToken.objects.filter(pk=pk, revoked_at=None).update(revoked_at=now, updated_at=now):
            logger.info("personal token revoked: user=%s token=%s reason=%s", user_id, pk, reason)
            revoked += 1
    return revoked


def sweep(*, dry_run: bool = False) -> dict[str, int]:
    dead = PersonalToken.objects.dead_for(KEEP_DEAD_TOKENS)
    return {"personal tokens": delete_in_batches(dead, dry_run=dry_run)}
