"""The log of events: a row for everybody whom a change concerns, written in the transaction of the change."""

from django.db import models


class Event(models.Model):
    """Rows are short and hold no text: what an event shows is read when the event is (kinds.py).

    On PostgreSQL the table has one more column, `xid`, the transaction that wrote the row. Django does not
    know it: its default fills it, and only cursors look at it (reading.py).
    """

    #: The user who may see it; null where only webhooks do. No foreign key, so that writing locks no user.
    user_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=40)
    conversation_id = models.CharField(max_length=100, null=True)
    message_id = models.BigIntegerField(null=True)
    #: Only what no other row holds any more, such as the reason why a session ended.
    data = models.JSONField(null=True)
    #: One change writes a row per person; consumers that want it once read the row that leads.
    leads = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} for user {self.user_id}"


class State(models.Model):
    """One row. Cursors carry its epoch; a restore renews it, so that cursors of before expire."""

    ONLY = 1

    epoch = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.epoch


class Consumer(models.Model):
    """How far a consumer inside this installation has read, such as the webhooks."""

    name = models.CharField(max_length=40, primary_key=True)
    cursor = models.TextField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Process(models.Model):
    """A process that has streams open; one that was not seen for a while is gone, and its streams with it."""

    name = models.CharField(max_length=32, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class OpenStream(models.Model):
    """A stream that is open somewhere, for what a user may have open over all processes and machines."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="streams")
    user_id = models.BigIntegerField(db_index=True)
    #: What it was opened with, as `session 5`.
    grant = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"stream {self.pk} of user {self.user_id}"
