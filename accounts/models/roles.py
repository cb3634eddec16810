from django.contrib.auth.models import Group
from django.db import models

from aimessage.models import TimeStamped

#: The role that a migration creates. Its holders work on reports in the admin.
MODERATOR = "moderator"


class Role(TimeStamped, Group):
    """A group with a description, so that Django's own permissions do the work."""

    description = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
