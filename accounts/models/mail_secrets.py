from django.conf import settings
from django.db import models


class MailSecret(models.Model):
    """What makes a link or code of a mail good, once. Only digests are kept, that of the code with a key."""

    class Purpose(models.TextChoices):
        RESET = "reset"
        VERIFY = "verify"
        CHANGE = "change"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_secrets")
    purpose = models.CharField(max_length=10, choices=Purpose)
    #: The folded address that it was mailed to.
    address_key = models.TextField()
    token = models.CharField(max_length=64, unique=True, editable=False)
    code = models.CharField(max_length=64, editable=False)
    #: How many codes were tried.
    tries = models.PositiveSmallIntegerField(default=0)
    # the sweep
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            # only the newest of its kind
            models.UniqueConstraint(fields=["user", "purpose"], name="mail_secret_unique_user_purpose")
        ]
        indexes = [
            # a code that is shown with an address
            models.Index(fields=["address_key", "purpose"], name="mail_secret_address")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} of user {self.user_id}"
