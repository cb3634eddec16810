"""Webhooks: whom to tell, what was told, and how each try went."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

URL_LENGTH = 500
#: Bytes of an answer that are kept.
ANSWER_BYTES = 1024


class Endpoint(models.Model):
    """An address that an operator registered, and how calling it goes."""

    url = models.CharField("URL", max_length=URL_LENGTH)
    description = models.CharField(max_length=200, blank=True)
    #: Empty: all of them.
    kinds = models.JSONField(default=list, blank=True)
    include_content = models.BooleanField(
        default=False,
        help_text="Send the texts of messages, profiles and reports along, not only their ids.",
    )

    is_enabled = models.BooleanField("enabled", default=True)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=200, blank=True)

    #: The secret itself is in no table; see signing.py.
    secret_salt = models.CharField(max_length=32)
    previous_secret_salt = models.CharField(max_length=32, blank=True)
    previous_secret_until = models.DateTimeField(null=True)

    #: Since when no try has succeeded; null after a success.
    failing_since = models.DateTimeField(null=True)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    #: Until then nothing is sent: it asked for a pause, or keeps failing.
    paused_until = models.DateTimeField(null=True)
    #: Whose turn it is to send; only the job with this number may, until `busy_until`.
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
    """One webhook for one endpoint; every try sends the same `webhook_id` and body."""

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
    #: Null once it is not kept any more.
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
            # What an endpoint is to be sent next.
            models.Index(
                fields=["endpoint", "due_at", "id"], condition=Q(status="pending"), name="webhooks_due"
            ),
            # Retention, and the replay of what failed since a time.
            models.Index(fields=["settled_at"], name="webhooks_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.webhook_id}"


class Attempt(models.Model):
    """One try."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    #: Null where there was no answer; `error` says why.
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    milliseconds = models.PositiveIntegerField()
    #: Its beginning, ANSWER_BYTES at most; null once it is not kept any more.
    answer = models.TextField(null=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = "try"
        verbose_name_plural = "tries"

    def __str__(self) -> str:
        return f"{self.status_code or self.error} at {self.at:%Y-%m-%d %H:%M:%S}"


def due_endpoints(now: datetime) -> models.QuerySet["Endpoint"]:
    """Enabled endpoints that nobody is sending to and that have something due."""
    due = Delivery.objects.filter(endpoint=models.OuterRef("pk"), status="pending", due_at__lte=now)
    return Endpoint.objects.filter(
        Q(busy_until=None) | Q(busy_until__lte=now),
        Q(paused_until=None) | Q(paused_until__lte=now),
        models.Exists(due),
        is_enabled=True,
    )


#: Moves an endpoint on to its next turn.
NEXT_TURN = F("turn") + 1
