from django.conf import settings
from django.db import models

from aimessage.models import TimeStamped


class ExternalIdentity(TimeStamped):
    """Links a user of the operator's own backend (AI_MESSAGE_ISSUER) to their account here."""

    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="external_identities"
    )

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="external_identity_once"),
            models.UniqueConstraint(fields=["issuer", "user"], name="external_identity_once_per_user"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} of {self.issuer}"


class UsedAssertion(models.Model):
    """An assertion that was exchanged, so that it cannot be used again. Kept until it expires."""

    #: SHA-256 of issuer and `jti`.
    digest = models.CharField(max_length=64, primary_key=True)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = []

    def __str__(self) -> str:
        return self.digest
