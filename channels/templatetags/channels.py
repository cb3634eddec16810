"""What the home page of the admin tells superusers of channels."""

from django import template
from django.conf import settings
from django.template import Context

from aimessage.backoffice.lists import is_superuser
from channels.gauges import count_filtered
from channels.models import Sender

#: Numbers that are named, and refusals in a day from which on they are told of.
MOST, MANY = 5, 5

register = template.Library()


@register.simple_tag(takes_context=True)
def channel_troubles(context: Context) -> dict[str, object]:
    if not is_superuser(context["request"]) or settings.TWILIO is None:
        return {}
    filtered = count_filtered()[()]
    paused = Sender.objects.exclude(paused_reason="").order_by("pk")[:MOST]
    return {"paused": paused, "filtered": int(filtered) if filtered >= MANY else 0}
