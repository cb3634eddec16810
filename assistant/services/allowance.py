"""The daily allowance of tokens, of each user and of all together: reserved before a call, settled after it.

A reservation is written to three rows in one transaction, in this order: the reply, the user's day, and the
day of all users. A release reads the amount from the reply's row, so that a worker that was believed dead and
its successor cannot release it twice.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import User
from aimessage.api.problems import Reason, TooManyRequests
from assistant.models import Reply, Thread, Usage

USED_UP = "Your allowance for today is used up. It starts anew at 00:00 UTC."
NO_ALLOWANCE = Reason("Your allowance for today is used up")


class UsedUp(Exception):
    """The allowance of the asker, or of all users, is too small for this call."""


def today() -> date:
    return timezone.now().astimezone(UTC).date()


def resets_at() -> datetime:
    return datetime.combine(today() + timedelta(days=1), time(), UTC)


def refuse_used_up() -> TooManyRequests:
    return TooManyRequests(
        NO_ALLOWANCE,
        retry_after=(resets_at() - timezone.now()).total_seconds(),
    )


def used_by(user: User | None) -> int:
    """Tokens that `user`, or all users together (None), have used or reserved today."""
    usage = Usage.objects.filter(user=user, day=today()).first()
    return usage.tokens + usage.reserved if usage else 0


@transaction.atomic
def reserve(reply: Reply, tokens: int) -> None:
    """Reserves `tokens` for a call, in place of any earlier reservation of this reply. Raises UsedUp."""
    release(reply)
    if not Reply.objects.filter(pk=reply.pk).exists():
        raise UsedUp
    day = today()
    limits = settings.ASSISTANT.tokens_per_day, settings.ASSISTANT.tokens_per_day_total
    for user_id, limit in zip((reply.asker_id, None), limits, strict=True):
        rows = _usage_rows(user_id, day)
        if limit:
            rows = rows.filter(reserved__lte=limit - tokens - F("tokens_in") - F("tokens_out"))
        # One statement checks and reserves, so that concurrent calls see each other's reservations.
        if not rows.update(reserved=F("reserved") + tokens):
            raise UsedUp
    Reply.objects.filter(pk=reply.pk).update(reserved=tokens, reserved_on=day)
    reply.reserved, reply.reserved_on = tokens, day


@transaction.atomic
def release(reply: Reply) -> date:
    """Gives back what is reserved for a reply. Returns the day that it counted for, or today."""
    row = Reply.objects.select_for_update(no_key=True).filter(pk=reply.pk)
    held = row.values_list("reserved", "reserved_on").first()
    # If the asker's account was deleted during the call, only the day of all users is left.
    tokens, day = held or (reply.reserved, reply.reserved_on)
    if tokens and day:
        for user_id in _billed_users(reply, exists=held is not None):
            _usage_rows(user_id, day).update(reserved=F("reserved") - tokens)
        Reply.objects.filter(pk=reply.pk).update(reserved=0, reserved_on=None)
    reply.reserved, reply.reserved_on = 0, None
    return day or today()


def _billed_users(reply: Reply, *, exists: bool) -> list[int | None]:
    return [reply.asker_id, None] if exists else [None]


@transaction.atomic
def settle(reply: Reply, tokens_in: int, tokens_out: int) -> None:
    price = tokens_in * settings.ASSISTANT.price_in + tokens_out * settings.ASSISTANT.price_out
    used = {
        "tokens_in": F("tokens_in") + tokens_in,
        "tokens_out": F("tokens_out") + tokens_out,
        "cost": F("cost") + price / Decimal(10**6),
    }
    day = release(reply)
    exists = bool(Reply.objects.filter(pk=reply.pk).update(**used))
    for user_id in _billed_users(reply, exists=exists):
        _usage_rows(user_id, day).update(requests=F("requests") + 1, **used)


def _usage_rows(user_id: int | None, day: date) -> QuerySet[Usage]:
    # Always one row: it is created if it is missing.
    rows = Usage.objects.filter(user=user_id, day=day)
    if not rows.exists():
        Usage.objects.bulk_create([Usage(user_id=user_id, day=day)], ignore_conflicts=True)
    return rows


def daily_notice(reply: Reply) -> str:
    """Returns the notice that the allowance is used up; empty if the asker was told today already.

    Call it in the transaction that sends the notice, with the conversation locked.
    """
    day = today()
    thread, _ = Thread.objects.get_or_create(user=reply.asker, profile=reply.profile)
    untold = Thread.objects.filter(pk=thread.pk).exclude(told_used_up_on=day)
    return USED_UP if untold.update(told_used_up_on=day) else ""
