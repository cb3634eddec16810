"""The audit trail: what was done in the admin, by whom, to whom, from where."""

from django.db import models

from aimessage.audit.querysets import EntryManager, refuse
from aimessage.db.fields import FoldedField

ACTOR_LENGTH = 150
SENTENCE_LENGTH = 1000
LABEL_LENGTH = 255
HASH_LENGTH = 64
SALT_LENGTH = 32
#: `previous_hash` of the first row.
FIRST_PREVIOUS = "0" * HASH_LENGTH


class Entry(models.Model):
    """One act. There are no foreign keys, so that no deletion can cascade to it.

    `id` counts without gaps from 1. `hash` covers every other column, including the hash of the row before
    (aimessage/audit/chain.py). Deleting an account erases its personal data (aimessage/audit/erasing.py);
    ids, kinds, times and the hash stay.
    """

    id = models.BigIntegerField("number", primary_key=True)
    created_at = models.DateTimeField("time")
    #: None if the actor is unknown, as at a failed login.
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField("who", max_length=ACTOR_LENGTH, blank=True)
    actor_key = FoldedField(source="actor_name")
    #: A stable name such as `user.disabled`.
    act = models.CharField(max_length=100)
    sentence = models.CharField("what was done", max_length=SENTENCE_LENGTH)
    #: Such as `accounts.user`; empty if the act has no object.
    target_kind = models.CharField(max_length=100, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField("on whom", max_length=LABEL_LENGTH, blank=True)
    target_key = FoldedField(source="target_label")
    #: Text, since PostgreSQL's `inet` does not return exactly what was stored, which the hash covers.
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField("request", max_length=128)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=HASH_LENGTH)
    hash = models.CharField(max_length=HASH_LENGTH)
    #: Random, hashed along, and replaced by an erasure, so that nobody can check a guess at the erased data
    #: against the hash. Empty in rows that are older than this column.
    salt = models.CharField(max_length=SALT_LENGTH, default="", db_default="", blank=True, editable=False)

    #: Whether it is dropped if another row (from the admin) records the same deletion. Not stored.
    is_implied = False
    #: Names, address and phone number of the account whose deletion this row records. Not stored.
    known_as: frozenset[str] = frozenset()

    objects = EntryManager()

    save = refuse
    delete = refuse

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        ordering = ["-pk"]
        base_manager_name = "objects"
        default_permissions = ["view"]
        indexes = [
            # the list's filters, and its search, each newest first
            models.Index(fields=["act", "id"], name="entry_act"),
            models.Index(fields=["actor_id", "id"], name="entry_actor"),
            models.Index(fields=["created_at"], name="entry_created_at"),
            models.Index(fields=["address", "id"], name="entry_address"),
            models.Index(fields=["request_id"], name="entry_request"),
            # LIKE 'ali%', whatever the database's locale
            models.Index(fields=["actor_key"], name="entry_actor_prefix", opclasses=["text_pattern_ops"]),
            models.Index(fields=["target_key"], name="entry_target_prefix", opclasses=["text_pattern_ops"]),
            # an object's history
            models.Index(fields=["target_kind", "target_id", "id"], name="entry_target"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.act}"

    @property
    def kind(self) -> str:
        # The admin's three icons.
        return {"added": "add", "deleted": "delete"}.get(self.act.rpartition(".")[2], "change")

    @property
    def changes(self) -> list[tuple[str, object, object]]:
        """(field, before, after) of each changed field; None for a value that did not exist."""
        names = sorted({*self.before, *self.after})
        return [(name, self.before.get(name), self.after.get(name)) for name in names]


class Erasure(models.Model):
    """Personal data of row `entry_id` was erased because of row `by`.

    Row `by` contains a seal over its erasures, which its own hash covers.
    """

    entry_id = models.BigIntegerField()
    by = models.BigIntegerField()
    #: Of the row's remaining content.
    hash = models.CharField(max_length=HASH_LENGTH)

    class Meta:
        default_permissions = []
        constraints = [
            # also finds all erasures of row `by`
            models.UniqueConstraint(fields=["by", "entry_id"], name="erasure_once_per_entry")
        ]
        indexes = [
            # finds a row's newest erasure, to verify it
            models.Index(fields=["entry_id", "by"], name="erasure_entry")
        ]

    def __str__(self) -> str:
        return f"row {self.entry_id}, erased by row {self.by}"


class Head(models.Model):
    """A single row with the end of the trail. Appending locks it."""

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True)
    number = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=HASH_LENGTH, default=FIRST_PREVIOUS)

    class Meta:
        default_permissions = []

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"
