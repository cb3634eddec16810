"""Webhooks: the endpoints to call, their deliveries, and each attempt."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

URL_LENGTH = 500
#: Bytes that are kept of an answer.
ANSWER_BYTES = 1024


class Endpoint(models.Model):
    """A URL that a superuser registered, and the state of calling it."""

    url = models.CharField("URL", max_length=URL_LENGTH)
    description = models.CharField(max_length=200, blank=True)
    #: Empty: all kinds.
    kinds = models.JSONField(default=list, blank=True)
    include_content = models.BooleanField(
        default=False,
        help_text="Send the texts of messages, profiles and reports along, not only their ids.",
    )

    is_enabled = models.BooleanField("enabled", default=True)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=200, blank=True)

    #: The secret itself is not stored; signing.py derives it from this.
    secret_salt = models.CharField(max_length=32)
    previous_secret_salt = models.CharField(max_length=32, blank=True)
    previous_secret_until = models.DateTimeField(null=True)

    #: The first failure since the last success; null after a success.
    failing_since = models.DateTimeField(null=True)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    #: Nothing is sent until then: it asked for a pause, or keeps failing.
    paused_until = models.DateTimeField(null=True)
    #: The current turn. Only the job that has this number may send, until `busy_until`.
    turn = models.PositiveIntegerField(default=0)
    busy_until = models.DateTimeField(null=True)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        verbose_name = "endpoint"

    def __str__(self) -> str:
        return f"endpoint {self.pk}"

    def takes(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds


class Delivery(models.Model):
    """One webhook to one endpoint; every try sends the same `webhook_id` and body."""

    class Status(models.TextChoices):
        PENDING = "pending", "pending"
        DELIVERED = "delivered", "delivered"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    #: The event in the log; null for a test.
    event_id = models.BigIntegerField(null=True)
    webhook_id = models.CharField(max_length=40)
    kind = models.CharField(max_length=40)
    #: Null after its retention.
    body = models.TextField(null=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    #: Tries of the current round; a replay begins a new one.
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    #: When the next try is due; null unless pending.
    due_at = models.DateTimeField(null=True, default=timezone.now)
    #: When it was delivered, failed for good, or was cancelled.
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event_id"],
                condition=Q(event_id__isnull=False),
                name="webhooks_delivery_once",
            ),
            models.CheckConstraint(
                condition=Q(status="pending", due_at__isnull=False)
                | (~Q(status="pending") & Q(due_at__isnull=True)),
                name="webhooks_delivery_due_while_pending",
            ),
        ]
        indexes = [
            # The next delivery of an endpoint.
            models.Index(
                fields=["endpoint", "due_at", "id"], condition=Q(status="pending"), name="webhooks_due"
            ),
            # Retention, and the replay of what failed since a time.
            models.Index(fields=["settled_at"], name="webhooks_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.webhook_id}"


class Attempt(models.Model):
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    #: Null if there was no answer; `error` says why.
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    milliseconds = models.PositiveIntegerField()
    #: Its first ANSWER_BYTES; null after its retention.
    answer = models.TextField(null=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = "try"
        verbose_name_plural = "tries"

    def __str__(self) -> str:
        return f"{self.status_code or self.error} at {self.at:%Y-%m-%d %H:%M:%S}"


def due_endpoints(now: datetime) -> models.QuerySet["Endpoint"]:
    """Enabled endpoints with due deliveries, except those that are paused or in a turn."""
    due = Delivery.objects.filter(endpoint=models.OuterRef("pk"), status="pending", due_at__lte=now)
    return Endpoint.objects.filter(
        Q(busy_until=None) | Q(busy_until__lte=now),
        Q(paused_until=None) | Q(paused_until__lte=now),
        models.Exists(due),
        is_enabled=True,
    )


#: Moves an endpoint on to its next turn.
NEXT_TURN = F("turn") + 1
