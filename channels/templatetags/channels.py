"""The warnings about SMS and WhatsApp on the admin's home page, for superusers."""

from django import template
from django.conf import settings
from django.template import Context

from aimessage.backoffice.lists import is_superuser
from channels.gauges import count_filtered
from channels.models import Sender

#: How many paused numbers are listed, and from how many filtered messages a day on there is a warning.
NUMBERS_SHOWN, MANY_FILTERED = 5, 5

register = template.Library()


@register.simple_tag(takes_context=True)
def channel_troubles(context: Context) -> dict[str, object]:
    if not is_superuser(context["request"]) or settings.TWILIO is None:
        return {}
    filtered = count_filtered()[()]
    paused = Sender.objects.exclude(paused_reason="").order_by("pk")[:NUMBERS_SHOWN]
    return {"paused": paused, "filtered": int(filtered) if filtered >= MANY_FILTERED else 0}
