import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class Mail(models.Model):
    """One mail, without its text, which is only written when the mail is sent."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        #: There was nothing to send: no such account, or a newer mail of the kind.
        DROPPED = "dropped"
        FAILED = "failed"

    #: The Message-ID. The secrets in the mail are derived from it and the server's key.
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40)
    #: Null until the job has looked up whose address it is.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="mails"
    )
    #: The recipient; empty if it goes to the user's own address, and once the mail is settled.
    address = models.CharField(max_length=255, blank=True)
    facts = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    #: When its text was first written; the secrets in it are valid from then on.
    written_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    #: It is not sent after that.
    expires_at = models.DateTimeField(null=True)
    #: Why the last try failed; names no address.
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
