"""The base of every model, and the counters behind the throttles."""

from datetime import datetime

from django.db import IntegrityError, models
from django.utils import timezone


class UpdatedAtField(models.DateTimeField):
    """The time of the last save; on the first one exactly `created_at`, so that both tell an edit."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"editable": False, "default": timezone.now, **kwargs})  # type: ignore[arg-type]

    def pre_save(self, model_instance: models.Model, add: bool) -> datetime:
        created_at: datetime | None = getattr(model_instance, "created_at", None)
        value = created_at if add and created_at else timezone.now()
        setattr(model_instance, self.attname, value)
        return value


class TimeStamped(models.Model):
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = UpdatedAtField()

    class Meta:
        abstract = True


class ThrottleWindow(models.Model):
    """How often `key` was seen in a window of time; see aimessage/db/rate_windows.py."""

    key = models.CharField(max_length=150, primary_key=True)
    #: Seconds since 1970, which both databases add and compare alike.
    ends_at = models.FloatField(db_index=True)
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


def violated(error: IntegrityError) -> str:
    """The constraint that refused the write (PostgreSQL), or the columns it is about (SQLite)."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None) or str(error)
