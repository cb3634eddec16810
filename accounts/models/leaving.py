from django.conf import settings
from django.db import models

from aimessage.models import TimeStamped


class PendingDeletion(TimeStamped):
    """An account whose owner asked for its deletion. It is disabled, and stays as it was until then."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="pending_deletion"
    )
    deletion_at = models.DateTimeField(db_index=True)
    #: Whether what the user sent goes as well, for those who received it too.
    erases = models.BooleanField(default=False)
    #: SHA-256 of the token in the mail that undoes it.
    token = models.CharField(max_length=64, unique=True, null=True, editable=False)

    class Meta:
        default_permissions = []

    def __str__(self) -> str:
        return f"deletion of user {self.user_id}"
