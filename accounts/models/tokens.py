from django.conf import settings
from django.db import models

from accounts.personal_tokens import SHOWN_LENGTH
from accounts.querysets import PersonalTokenQuerySet
from aimessage.models import TimeStamped


class PersonalToken(TimeStamped):
    """A token for a program of its user's; of the token itself only the SHA-256 is kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="personal_tokens"
    )
    name = models.CharField(max_length=100)
    #: Every request with a personal token looks it up.
    token = models.CharField(max_length=64, unique=True, editable=False)
    #: How the token begins, for its owner to tell it from others.
    prefix = models.CharField(max_length=SHOWN_LENGTH, editable=False)
    scopes = models.JSONField()
    #: None for never.
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = PersonalTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"personal token {self.pk} of user {self.user_id}"
