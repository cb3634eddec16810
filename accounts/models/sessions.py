from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.querysets import SessionQuerySet
from aimessage.models import TimeStamped


class Session(TimeStamped):
    """One login on one device. Its tokens work exactly as long as it is live."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions")
    #: 256 random bits in hex, the `sid` claim; the unique index serves every authenticated request.
    session_token = models.CharField(max_length=64, unique=True, editable=False)
    device_info = models.CharField(max_length=255, null=True)
    ip_address = models.GenericIPAddressField(null=True)
    is_active = models.BooleanField(default=True)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # the admin's search by address
            models.Index(fields=["ip_address"], name="session_address"),
        ]

    def __str__(self) -> str:
        return f"session {self.pk} of user {self.user_id}"

    def next_expiry(self, now: datetime) -> datetime:
        latest: datetime = self.created_at + settings.SESSION_MAX_AGE
        return min(now + settings.REFRESH_TOKEN_LIFETIME, latest)


class RefreshToken(TimeStamped):
    """A refresh token that was issued. Only its SHA-256 is stored."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="refresh_tokens"
    )
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    token = models.CharField(max_length=64, unique=True, editable=False)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)
    is_used = models.BooleanField(default=False)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_used=models.Q(used_at__isnull=False)),
                name="refresh_token_used_at_when_used",
            )
        ]

    def __str__(self) -> str:
        return f"refresh token {self.pk} of session {self.session_id}"


class StreamTicket(models.Model):
    """Opens one event stream of a session. Only the ticket's SHA-256 is stored."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tickets")
    token = models.CharField(max_length=64, unique=True, editable=False)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket {self.pk} of session {self.session_id}"
