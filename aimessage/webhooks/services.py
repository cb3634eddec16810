"""Registers, enables and disables endpoints, rotates their secrets, tests them, and replays deliveries."""

import logging
import secrets
from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from aimessage.api.problems import DomainError, Invalid, Reason
from aimessage.audit.models import Entry
from aimessage.audit.services import append_entries
from aimessage.events.reading import start_consumer, stop_consumer
from aimessage.server.logs import request_id
from aimessage.webhooks.bodies import build_body
from aimessage.webhooks.kinds import TELLERS, TEST, Told
from aimessage.webhooks.mails import notify_superusers
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.outbound import NotAllowed, check_url
from aimessage.webhooks.signing import OVERLAP, new_salt

#: The reason when a superuser disables an endpoint; for any other one, superusers are notified.
BY_HAND = "In the admin"
#: Our name as a consumer of the event log.
CONSUMER = "webhooks"
logger = logging.getLogger("aimessage.webhooks")


class IsDisabled(DomainError):
    def __init__(self) -> None:
        super().__init__("The endpoint is disabled")


class NothingKept(DomainError):
    def __init__(self) -> None:
        super().__init__("It is still pending, or its body is not kept any more")


@transaction.atomic
def register_endpoint(endpoint: Endpoint) -> None:
    """Saves a new endpoint with a new secret. Raises Invalid for a bad URL or an unknown kind."""
    check_endpoint(url=endpoint.url, kinds=endpoint.kinds)
    _lock_endpoints()
    endpoint.secret_salt = new_salt()
    endpoint.save()
    start_consumer(CONSUMER)


def check_endpoint(*, url: str, kinds: Collection[str]) -> None:
    try:
        check_url(url)
    except NotAllowed as error:
        raise Invalid(Reason(str(error), "invalid", field="url")) from error
    if not set(kinds) <= TELLERS.keys():
        raise Invalid(Reason("There is no such kind", "invalid", field="kinds"))


@transaction.atomic
def enable_endpoint(endpoint: Endpoint) -> None:
    _lock_endpoints()
    Endpoint.objects.filter(pk=endpoint.pk, is_enabled=False).update(
        is_enabled=True,
        disabled_at=None,
        disabled_reason="",
        failing_since=None,
        failures_in_a_row=0,
        paused_until=None,
    )
    start_consumer(CONSUMER)


@transaction.atomic
def disable_endpoint(endpoint: Endpoint, *, reason: str) -> None:
    """Disables an endpoint and cancels its pending deliveries.

    For any reason but BY_HAND it writes the entry of the audit trail itself, and notifies superusers by mail
    and in the log.
    """
    _lock_endpoints()
    now = timezone.now()
    enabled = Endpoint.objects.filter(pk=endpoint.pk, is_enabled=True)
    if not enabled.update(is_enabled=False, disabled_at=now, disabled_reason=reason):
        return
    pending = Delivery.objects.filter(endpoint=endpoint, status=Delivery.Status.PENDING)
    pending.update(status=Delivery.Status.CANCELLED, due_at=None, settled_at=now)
    if not Endpoint.objects.filter(is_enabled=True).exists():
        stop_consumer(CONSUMER)
    if reason != BY_HAND:
        logger.error("endpoint %s was disabled: %s", endpoint.pk, reason)
        append_entries([_disabled_entry(endpoint, reason)])
        notify_superusers(endpoint)


def _disabled_entry(endpoint: Endpoint, reason: str) -> Entry:
    return Entry(
        act="endpoint.disabled",
        actor_name="webhooks",
        sentence=f"Disabled: {reason}.",
        request_id=request_id.get(),
        target_kind=endpoint._meta.label_lower,
        target_id=str(endpoint.pk),
        target_label=str(endpoint),
        before={"is_enabled": True},
        after={"is_enabled": False, "disabled_reason": reason},
    )


def _lock_endpoints() -> None:
    # Serializes enabling and disabling: the consumer of the log exists exactly while an endpoint is enabled.
    # no_key, because inserting a delivery takes a key share lock on its endpoint while it holds the
    # consumer's lock; a full lock here would deadlock with that.
    list(Endpoint.objects.order_by("pk").select_for_update(no_key=True).values_list("pk"))


@transaction.atomic
def rotate_secret(endpoint: Endpoint) -> None:
    """Makes a new secret; the previous one keeps signing, too, for OVERLAP (24 hours)."""
    locked = Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    endpoint.previous_secret_salt = locked.secret_salt
    endpoint.previous_secret_until = timezone.now() + OVERLAP
    endpoint.secret_salt = new_salt()
    endpoint.save(update_fields=["secret_salt", "previous_secret_salt", "previous_secret_until"])


@transaction.atomic
def send_test(endpoint: Endpoint) -> Delivery:
    """Makes a delivery of the kind `webhook.test`. Raises IsDisabled."""
    _require_enabled(endpoint)
    body = build_body(TEST, timezone.now(), Told({}, {}), include_content=False)
    return Delivery.objects.create(endpoint=endpoint, webhook_id=new_webhook_id(), kind=TEST, body=body)


def new_webhook_id() -> str:
    return f"msg_{secrets.token_urlsafe(20)}"


@transaction.atomic
def replay(delivery: Delivery) -> None:
    """Sends it again with the same webhook_id, and with all its tries. Raises IsDisabled or NothingKept."""
    _require_enabled(delivery.endpoint)
    if not _replay(Delivery.objects.filter(pk=delivery.pk)):
        raise NothingKept


@transaction.atomic
def replay_failed(endpoint: Endpoint, *, since: datetime) -> int:
    """Replays what failed or was cancelled since then; returns how many. Raises IsDisabled."""
    _require_enabled(endpoint)
    lost = [Delivery.Status.FAILED, Delivery.Status.CANCELLED]
    return _replay(Delivery.objects.filter(endpoint=endpoint, status__in=lost, settled_at__gte=since))


def _replay(deliveries: QuerySet[Delivery]) -> int:
    replayable = deliveries.exclude(status=Delivery.Status.PENDING).filter(body__isnull=False)
    now = timezone.now()
    return replayable.update(status=Delivery.Status.PENDING, tries=0, due_at=now, settled_at=None)


def _require_enabled(endpoint: Endpoint) -> None:
    # Locked, so that it stays enabled until the transaction ends.
    found = Endpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk, is_enabled=True)
    if not list(found.values_list("pk")):
        raise IsDisabled


def disabled_automatically() -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(is_enabled=False).exclude(disabled_reason=BY_HAND)
