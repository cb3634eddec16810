"""What an import remembers, so that it can go on after a stop and never does anything twice."""

from django.db import models

from messaging.models import CONVERSATION_ID_MAX_LENGTH


class Move(models.Model):
    """The one import that a database has seen."""

    #: Where the rows came from, without a password.
    source = models.TextField()
    #: Tells the same source from another, wherever it lies.
    fingerprint = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    #: The highest account id that any row names; ids above it are free.
    highest_account = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"import of {self.source}"


class Progress(models.Model):
    """How far one table of the source has come; written together with the rows themselves."""

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
    """An index of messages that is built anew once they are copied (operations/legacy_import/indexes.py)."""

    name = models.TextField(primary_key=True)
    #: The statement that builds it.
    definition = models.TextField()
    #: By number of the column, how many values ANALYZE keeps.
    statistics = models.JSONField()

    def __str__(self) -> str:
        return self.name


class Finding(models.Model):
    """A row that could not be taken, or not as it was."""

    class Outcome(models.TextChoices):
        REFUSED = "refused"
        CHANGED = "changed"

    table = models.CharField(max_length=30)
    #: As it stands in the source, where it may be anything.
    row_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=200)
    #: Ids and such, and nothing personal: these rows outlive the accounts.
    detail = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.table} {self.row_id}: {self.reason}"


class Thread(models.Model):
    """The two users of a conversation, where its id does not name them."""

    conversation_id = models.CharField(max_length=CONVERSATION_ID_MAX_LENGTH, primary_key=True)
    low = models.BigIntegerField()
    high = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.conversation_id} of {self.low} and {self.high}"
