"""What a user, and all together, may use in a day of UTC: reserved before a call, settled after it.

A reservation stands in three rows: the reply's, the user's day and everybody's day, always in this order and
in one transaction. Whoever takes it back reads in the reply's row how much it is, so that a worker that was
thought dead and its successor cannot take it back twice.
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
    """The allowance of the asker, or of all, does not take this call."""


def today() -> date:
    return timezone.now().astimezone(UTC).date()


def resets_at() -> datetime:
    """When the allowance starts anew."""
    return datetime.combine(today() + timedelta(days=1), time(), UTC)


def refuse_used_up() -> TooManyRequests:
    """The problem that POST /messages/ai answers with."""
    return TooManyRequests(
        NO_ALLOWANCE,
        retry_after=(resets_at() - timezone.now()).total_seconds(),
    )


def used_by(user: User | None) -> int:
    """Tokens that a user, or everybody, has used today; reserved ones count."""
    usage = Usage.objects.filter(user=user, day=today()).first()
    return usage.tokens + usage.reserved if usage else 0


@transaction.atomic
def reserve(reply: Reply, tokens: int) -> None:
    """Takes `tokens` out of the allowance before a call, in the place of what this reply had reserved before.
    Raises UsedUp."""
    release(reply)
    if not Reply.objects.filter(pk=reply.pk).exists():
        raise UsedUp
    day = today()
    limits = settings.ASSISTANT.tokens_per_day, settings.ASSISTANT.tokens_per_day_total
    for user_id, limit in zip((reply.asker_id, None), limits, strict=True):
        rows = _rows(user_id, day)
        if limit:
            rows = rows.filter(reserved__lte=limit - tokens - F("tokens_in") - F("tokens_out"))
        # One statement looks and takes: of questions at once each sees what the others have reserved.
        if not rows.update(reserved=F("reserved") + tokens):
            raise UsedUp
    Reply.objects.filter(pk=reply.pk).update(reserved=tokens, reserved_on=day)
    reply.reserved, reply.reserved_on = tokens, day


@transaction.atomic
def release(reply: Reply) -> date:
    """Gives back what is reserved for a reply, for a call that never was or whose end nobody saw. Returns
    the day that it was taken from, or today."""
    row = Reply.objects.select_for_update(no_key=True).filter(pk=reply.pk)
    held = row.values_list("reserved", "reserved_on").first()
    # Its asker's account was deleted during the call; everybody's day is still there.
    tokens, day = held or (reply.reserved, reply.reserved_on)
    if tokens and day:
        for user_id in _bookers(reply, is_there=held is not None):
            _rows(user_id, day).update(reserved=F("reserved") - tokens)
        Reply.objects.filter(pk=reply.pk).update(reserved=0, reserved_on=None)
    reply.reserved, reply.reserved_on = 0, None
    return day or today()


def _bookers(reply: Reply, *, is_there: bool) -> list[int | None]:
    """Whose days a call of this reply counts for."""
    return [reply.asker_id, None] if is_there else [None]


@transaction.atomic
def settle(reply: Reply, tokens_in: int, tokens_out: int) -> None:
    """Books what a call took, in the place of what was reserved for it."""
    price = tokens_in * settings.ASSISTANT.price_in + tokens_out * settings.ASSISTANT.price_out
    used = {
        "tokens_in": F("tokens_in") + tokens_in,
        "tokens_out": F("tokens_out") + tokens_out,
        "cost": F("cost") + price / Decimal(10**6),
    }
    day = release(reply)
    is_there = bool(Reply.objects.filter(pk=reply.pk).update(**used))
    for user_id in _bookers(reply, is_there=is_there):
        _rows(user_id, day).update(requests=F("requests") + 1, **used)


def _rows(user_id: int | None, day: date) -> QuerySet[Usage]:
    """The one row of a user's, or everybody's, day, which is made where there is none."""
    rows = Usage.objects.filter(user=user_id, day=day)
    if not rows.exists():
        Usage.objects.bulk_create([Usage(user_id=user_id, day=day)], ignore_conflicts=True)
    return rows


def notice_for(reply: Reply) -> str:
    """What the asker is told who has used up the allowance; empty where they were told today already.

    Call it in the transaction that sends the notice, with the conversation locked.
    """
    day = today()
    thread, _ = Thread.objects.get_or_create(user=reply.asker, profile=reply.profile)
    untold = Thread.objects.filter(pk=thread.pk).exclude(told_used_up_on=day)
    return USED_UP if untold.update(told_used_up_on=day) else ""
