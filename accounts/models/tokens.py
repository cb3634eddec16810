from django.conf import settings
from django.db import models

from accounts.personal_tokens import SHOWN_LENGTH
from accounts.querysets import PersonalTokenQuerySet
from aimessage.models import TimeStamped


class PersonalToken(TimeStamped):
    """Lets a user's program use the API. Only the token's SHA-256 is stored."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="personal_tokens"
    )
    name = models.CharField(max_length=100)
    #: The index serves every request with a personal token.
    token = models.CharField(max_length=64, unique=True, editable=False)
    #: The token's first characters, so that its owner recognises it.
    prefix = models.CharField(max_length=SHOWN_LENGTH, editable=False)
    scopes = models.JSONField()
    #: Null: never.
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = PersonalTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"personal token {self.pk} of user {self.user_id}"
