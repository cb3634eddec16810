"""The warning on the admin's home page about endpoints that were disabled automatically."""

from django import template
from django.template import Context

from aimessage.backoffice.lists import is_superuser
from aimessage.webhooks.models import Endpoint
from aimessage.webhooks.services import disabled_automatically

ENDPOINTS_SHOWN = 5

register = template.Library()


@register.simple_tag(takes_context=True)
def disabled_endpoints(context: Context) -> list[Endpoint]:
    if not is_superuser(context["request"]):
        return []
    return list(disabled_automatically().order_by("-disabled_at")[:ENDPOINTS_SHOWN])
