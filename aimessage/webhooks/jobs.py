"""Sends due deliveries. Each endpoint has one job at a time, so a call that hangs blocks one thread only.

`dispatch` looks for endpoints with due deliveries and enqueues a job for each, called a turn. A turn is a
lease: if its job is lost, it ends after LEASE and `dispatch` starts another.
"""

import logging
import random
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_tasks import task

from aimessage.jobs.retries import LONGEST_WAIT, parse_retry_after
from aimessage.webhooks.models import NEXT_TURN, Attempt, Delivery, Endpoint, due_endpoints
from aimessage.webhooks.outbound import NotAllowed, TookTooLong, call
from aimessage.webhooks.pruning import sweep
from aimessage.webhooks.services import disable_endpoint
from aimessage.webhooks.signing import signed_headers

#: Seconds before each try after the first (Standard Webhooks 1.0), varied by up to JITTER either way.
DELAYS = [5, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))]
JITTER = 0.2
#: When a turn ends if its job stops renewing it.
LEASE = timedelta(seconds=120)
#: Seconds after which a job ends even if more is due, so that other endpoints get its thread.
TURN_SECONDS = 10.0
#: Circuit breaker: after so many failures in a row an endpoint is called only once per pause.
BREAKER, BREAKER_PAUSE = 5, timedelta(seconds=60)
#: An endpoint that fails for so long is disabled.
PATIENCE = timedelta(days=5)
GONE, PAUSING = 410, {429, 503}
ERROR_LENGTH = 300

logger = logging.getLogger("aimessage.webhooks")


def dispatch() -> int:
    now, count = timezone.now(), 0
    for pk in due_endpoints(now).values_list("pk", flat=True):
        with transaction.atomic():
            free = Endpoint.objects.filter(Q(busy_until=None) | Q(busy_until__lte=now), pk=pk)
            if free.update(turn=NEXT_TURN, busy_until=now + LEASE):
                turn = Endpoint.objects.values_list("turn", flat=True).get(pk=pk)
                send_due.enqueue(pk, turn)
                count += 1
    return count


@task(queue_name="webhooks")
def send_due(endpoint_id: int, turn: int) -> None:
    ours = Endpoint.objects.filter(pk=endpoint_id, turn=turn)
    ends_at = time.monotonic() + TURN_SECONDS
    while time.monotonic() < ends_at:
        now = timezone.now()
        if not ours.update(busy_until=now + LEASE):
            return
        endpoint = ours.filter(is_enabled=True).first()
        if endpoint is None or (endpoint.paused_until and endpoint.paused_until > now):
            break
        due = Delivery.objects.filter(endpoint=endpoint, status=Delivery.Status.PENDING, due_at__lte=now)
        delivery = due.order_by("due_at", "pk").first()
        if delivery is None or not _attempt(endpoint, delivery):
            break
    ours.update(busy_until=None)


def _attempt(endpoint: Endpoint, delivery: Delivery) -> bool:
    """Calls the endpoint once and records the attempt; returns whether it succeeded."""
    now, begun = timezone.now(), time.monotonic()
    attempt = Attempt(delivery=delivery, at=now)
    retry_after = None
    body = delivery.body or ""
    try:
        answer = call(endpoint.url, body, signed_headers(endpoint, delivery, body, now))
    except NotAllowed as error:
        attempt.error = f"Not called: {error}"[:ERROR_LENGTH]
    except TookTooLong as error:
        attempt.error = str(error)
    except Exception as error:
        # A peer can make the libraries raise almost anything; each is a failed attempt, to be retried.
        attempt.error = f"{type(error).__name__}: {error}".replace("\0", "")[:ERROR_LENGTH]
    else:
        attempt.status_code, attempt.answer = answer.status, answer.text
        if answer.status in PAUSING:
            retry_after = parse_retry_after(answer.retry_after)
    attempt.milliseconds = int((time.monotonic() - begun) * 1000)
    succeeded = attempt.status_code is not None and 200 <= attempt.status_code < 300
    _record(endpoint, attempt, succeeded, retry_after)
    if not succeeded and (reason := _reason_to_disable(endpoint, attempt)):
        disable_endpoint(endpoint, reason=reason)
    return succeeded


@transaction.atomic
def _record(endpoint: Endpoint, attempt: Attempt, succeeded: bool, retry_after: float | None) -> None:
    # services.py locks the endpoint before its deliveries, too; another order could deadlock.
    Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    # Read again, because it may have been cancelled or replayed during the call.
    delivery = Delivery.objects.select_for_update(no_key=True).get(pk=attempt.delivery_id)
    attempt.save()
    if succeeded:
        _record_success(endpoint, delivery)
    else:
        _record_failure(endpoint, delivery, attempt, retry_after)


def _reason_to_disable(endpoint: Endpoint, attempt: Attempt) -> str:
    if attempt.status_code == GONE:
        return "It answered 410 Gone"
    since = endpoint.failing_since
    return f"No success for {PATIENCE.days} days" if since and attempt.at - since >= PATIENCE else ""


def _record_success(endpoint: Endpoint, delivery: Delivery) -> None:
    now = timezone.now()
    Delivery.objects.filter(pk=delivery.pk).update(
        status=Delivery.Status.DELIVERED, tries=delivery.tries + 1, due_at=None, settled_at=now
    )
    Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=None, failures_in_a_row=0, paused_until=None)


def _record_failure(
    endpoint: Endpoint, delivery: Delivery, attempt: Attempt, retry_after: float | None
) -> None:
    now = timezone.now()
    why = attempt.status_code or attempt.error
    logger.warning("webhook failed: endpoint=%s %s: %s", endpoint.pk, delivery.webhook_id, why)
    tries = delivery.tries + 1
    if delivery.status == Delivery.Status.PENDING:
        next_at = _next_time(now, tries, retry_after)
        Delivery.objects.filter(pk=delivery.pk).update(
            tries=tries,
            due_at=next_at,
            status=Delivery.Status.PENDING if next_at else Delivery.Status.FAILED,
            settled_at=None if next_at else now,
        )
    failures = endpoint.failures_in_a_row + 1
    pauses = [now + timedelta(seconds=min(retry_after, LONGEST_WAIT))] if retry_after else []
    if failures >= BREAKER:
        pauses.append(now + BREAKER_PAUSE)
    since = endpoint.failing_since or attempt.at
    Endpoint.objects.filter(pk=endpoint.pk).update(
        failing_since=since, failures_in_a_row=failures, paused_until=max(pauses, default=None)
    )


def _next_time(now: datetime, tries: int, retry_after: float | None) -> datetime | None:
    """When to try again after `tries` tries; None after the last one."""
    if tries > len(DELAYS):
        return None
    seconds = DELAYS[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret
    return now + timedelta(seconds=max(seconds, min(retry_after or 0.0, LONGEST_WAIT)))


@task
def prune() -> None:
    sweep()
