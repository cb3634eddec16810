import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class Mail(models.Model):
    """One mail, without its text: that is written when it is sent."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        #: There was nothing to send: no such account, or a newer mail of the kind.
        DROPPED = "dropped"
        FAILED = "failed"

    #: Its Message-ID, and what the secrets in it are derived from, together with the server's key.
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40)
    #: None until the job has found who has the address.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="mails"
    )
    #: Where it is to go; empty once that is settled, and where it goes to the user's own address.
    address = models.CharField(max_length=255, blank=True)
    facts = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    #: When it was first written, and the secrets in it became good.
    written_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    #: When it would come too late.
    expires_at = models.DateTimeField(null=True)
    #: Why the last try failed, without addresses.
    error = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        ordering = ["-pk"]
        indexes = [
            # whether there is a newer one of the kind
            models.Index(fields=["user", "kind"], name="mail_user_kind"),
            # the sweep
            models.Index(fields=["created_at"], name="mail_created_at"),
        ]

    def __str__(self) -> str:
        return f"mail {self.pk} ({self.kind})"

    @property
    def label(self) -> str:
        return self.kind.replace("_", " ").capitalize()
