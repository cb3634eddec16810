"""What came in, as the tests read it."""

from channels.models import Delivery, Receipt
from messaging.models import Message

Outcome = Receipt.Outcome


def outcomes() -> list[str]:
    return list(Receipt.objects.order_by("pk").values_list("outcome", flat=True))


def notices() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("notice", flat=True))


def contents() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("content", flat=True))
