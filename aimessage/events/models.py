"""The log of events. A change writes one row for each user that it concerns, in its own transaction."""

from django.db import models


class Event(models.Model):
    """Rows are short and hold no text: payloads are made when the event is read (kinds.py).

    On PostgreSQL the table has one more column, `xid`, the transaction that wrote the row. Django does not
    know it. The database fills it by default, and only reading.py uses it.
    """

    #: The user who may see it, null for webhooks alone. Not a foreign key: writing an event locks no user.
    user_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=40)
    conversation_id = models.CharField(max_length=100, null=True)
    message_id = models.BigIntegerField(null=True)
    #: Only facts that no other row holds, such as why a session ended.
    data = models.JSONField(null=True)
    #: True for one row of each change, so that consumers can read every change once.
    leads = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} for user {self.user_id}"


class State(models.Model):
    """One row. Cursors carry its epoch. A restore renews it, so that earlier cursors expire."""

    ONLY = 1

    epoch = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.epoch


class Consumer(models.Model):
    """How far a consumer within this installation, such as the webhooks, has read the log."""

    name = models.CharField(max_length=40, primary_key=True)
    cursor = models.TextField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Process(models.Model):
    """A process with open streams. Without a heartbeat it is deleted, and its streams with it (limits.py)."""

    name = models.CharField(max_length=32, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class OpenStream(models.Model):
    """An open stream, counted for the limits that hold over all processes and machines."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="streams")
    user_id = models.BigIntegerField(db_index=True)
    #: What authorised it, such as `session 5`.
    grant = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"stream {self.pk} of user {self.user_id}"
