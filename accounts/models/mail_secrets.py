from django.conf import settings
from django.db import models


class MailSecret(models.Model):
    """The token and code of a mail; either works once. Only digests are stored, a keyed one of the code."""

    class Purpose(models.TextChoices):
        RESET = "reset"
        VERIFY = "verify"
        CHANGE = "change"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_secrets")
    purpose = models.CharField(max_length=10, choices=Purpose)
    #: The address of the mail, folded.
    address_key = models.TextField()
    token = models.CharField(max_length=64, unique=True, editable=False)
    code = models.CharField(max_length=64, editable=False)
    #: How many codes were tried.
    tries = models.PositiveSmallIntegerField(default=0)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            # Only the newest mail of a purpose is valid.
            models.UniqueConstraint(fields=["user", "purpose"], name="mail_secret_unique_user_purpose")
        ]
        indexes = [
            # finds a code by its address
            models.Index(fields=["address_key", "purpose"], name="mail_secret_address")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} of user {self.user_id}"
