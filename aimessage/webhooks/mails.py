"""The mail to superusers about an endpoint that was disabled."""

from urllib.parse import urlsplit

from django.contrib.auth import get_user_model
from django.urls import reverse

from aimessage.mail.kinds import Draft, writes
from aimessage.mail.models import Mail
from aimessage.mail.outbox import post
from aimessage.webhooks.models import Endpoint

DISABLED = "webhook_disabled"
MAX_RECIPIENTS = 20


def notify_superusers(endpoint: Endpoint) -> None:
    superusers = get_user_model()._default_manager.filter(is_superuser=True, is_active=True)
    for pk in superusers.order_by("pk").values_list("pk", flat=True)[:MAX_RECIPIENTS]:
        post(DISABLED, user_id=pk, facts={"endpoint": endpoint.pk})


@writes(DISABLED)
def write_disabled(mail: Mail) -> Draft | None:
    endpoint = Endpoint.objects.filter(pk=mail.facts.get("endpoint"), is_enabled=False).first()
    if endpoint is None or mail.user is None or not mail.user.is_superuser:
        return None
    page = reverse("admin:webhooks_endpoint_change", args=[endpoint.pk])
    # Only the host, because a URL may contain a secret.
    facts = {"host": urlsplit(endpoint.url).hostname, "reason": endpoint.disabled_reason, "page": page}
    return Draft(mail.user.email, {**facts, "username": mail.user.get_username()})
