"""What users, and all of them together, may use in a day: reserved before a call, settled after it."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from assistant.models import Reply, Usage


class UsedUp(Exception):
    """The allowance of the asker, or of all, does not take this call."""


def reserve(reply: Reply, tokens: int) -> None:
    """Takes `tokens` out of the allowance before a call. Raises UsedUp."""


@transaction.atomic
def settle(reply: Reply, tokens_in: int, tokens_out: int) -> None:
    """Books what a call took, in the place of what was reserved for it."""
    price = tokens_in * settings.ASSISTANT.price_in + tokens_out * settings.ASSISTANT.price_out
    used = {
        "tokens_in": F("tokens_in") + tokens_in,
        "tokens_out": F("tokens_out") + tokens_out,
        "cost": F("cost") + price / Decimal(10**6),
    }
    Reply.objects.filter(pk=reply.pk).update(**used)
    day = timezone.now().date()
    users: list[Any] = [reply.asker_id, None]
    for user_id in users:
        usage, _ = Usage.objects.get_or_create(user_id=user_id, day=day)
        Usage.objects.filter(pk=usage.pk).update(requests=F("requests") + 1, **used)
