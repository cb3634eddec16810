from django.conf import settings
from django.db import models

from aimessage.models import TimeStamped


class PendingDeletion(TimeStamped):
    """The owner asked to delete the account. It is disabled, and otherwise unchanged until `deletion_at`."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="pending_deletion"
    )
    deletion_at = models.DateTimeField(db_index=True)
    #: Whether the user's messages are deleted for the recipients, too.
    erases = models.BooleanField(default=False)
    #: SHA-256 of the token that cancels the deletion, which the user was mailed.
    token = models.CharField(max_length=64, unique=True, null=True, editable=False)

    class Meta:
        default_permissions = []

    def __str__(self) -> str:
        return f"deletion of user {self.user_id}"
