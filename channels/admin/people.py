"""Addresses and waiting deliveries on the admin's pages about users."""

from django.conf import settings
from django.http import HttpRequest

from accounts.admin.extensions import DeletionSummary, Panel, deletion_summaries, lines, panels
from accounts.models import User
from aimessage.backoffice.lists import is_superuser
from channels.models import Address, Delivery

ADDRESSES_SHOWN = 10


def _panel(request: HttpRequest, user: User) -> dict[str, object] | None:
    if not is_superuser(request) or settings.TWILIO is None:
        return None
    return {"addresses": Address.objects.filter(user=user).order_by("-pk")[:ADDRESSES_SHOWN]}


def _deletion_summary(users: list[int]) -> DeletionSummary:
    addresses = Address.objects.filter(user__in=users)
    waiting = Delivery.objects.filter(thread__address__user__in=users, due_at__isnull=False)
    return DeletionSummary(
        goes=[
            *lines(addresses, "address", "addresses", " for SMS or WhatsApp"),
            *lines(waiting, "part", "parts", " of messages that wait to be sent there"),
        ]
    )


panels.insert(2, Panel("SMS and WhatsApp", "admin/accounts/user/channels.html", _panel))
deletion_summaries += [_deletion_summary]
