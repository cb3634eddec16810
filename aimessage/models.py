"""The base of models with timestamps, and the counters of the throttles."""

from datetime import datetime

from django.db import IntegrityError, models
from django.utils import timezone


class UpdatedAtField(models.DateTimeField):
    """The time of the last save. A new row gets exactly `created_at`, so that a difference means an edit."""

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
    """The number of requests under `key` in a time window (aimessage/db/rate_windows.py)."""

    key = models.CharField(max_length=150, primary_key=True)
    #: Seconds since 1970, since both databases add and compare numbers in the same way.
    ends_at = models.FloatField(db_index=True)
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


def violated(error: IntegrityError) -> str:
    """A text with the name of the violated constraint (PostgreSQL) or its columns (SQLite)."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None) or str(error)
