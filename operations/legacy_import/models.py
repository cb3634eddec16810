"""The state of an import, so that it can continue after a stop and does nothing twice."""

from django.db import models

from messaging.models import CONVERSATION_ID_MAX_LENGTH


class Move(models.Model):
    """The one import that a database has seen."""

    #: The URL of the source, without a password.
    source = models.TextField()
    #: Identifies the source, wherever it lies (`Source.fingerprint`).
    fingerprint = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    #: The highest account id that any row names; ids above it are free.
    highest_account = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"import of {self.source}"


class Progress(models.Model):
    """How far the copy of one table is; written in the transaction that writes the rows."""

    table = models.CharField(max_length=30, primary_key=True)
    #: The last id of the source that was copied.
    last_id = models.BigIntegerField(null=True)
    copied = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.table} up to {self.last_id}"

    @property
    def seen(self) -> int:
        return self.copied + self.refused


class SetAsideIndex(models.Model):
    """An index of messages that was dropped and has to be built again (indexes.py)."""

    name = models.TextField(primary_key=True)
    #: The CREATE INDEX statement.
    definition = models.TextField()
    #: By column number, its statistics target.
    statistics = models.JSONField()

    def __str__(self) -> str:
        return self.name


class Finding(models.Model):
    """A row of the source that was refused, or changed."""

    class Outcome(models.TextChoices):
        REFUSED = "refused"
        CHANGED = "changed"

    table = models.CharField(max_length=30)
    #: As in the source, where it may be anything.
    row_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=200)
    #: Ids and the like. Nothing personal: these rows outlive the accounts.
    detail = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.table} {self.row_id}: {self.reason}"


class Thread(models.Model):
    """The two users of a conversation whose id does not name them."""

    conversation_id = models.CharField(max_length=CONVERSATION_ID_MAX_LENGTH, primary_key=True)
    low = models.BigIntegerField()
    high = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.conversation_id} of {self.low} and {self.high}"
