"""What the tests of the trail share: rows to look at, and hands that tamper with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.utils import timezone

from aimessage.audit.models import Entry
from aimessage.audit.services import append_entries


def entry(**changed: Any) -> Entry:
    values: dict[str, Any] = {
        "actor_id": 1,
        "actor_name": "root",
        "act": "user.disabled",
        "sentence": "Disabled.",
        "target_kind": "accounts.user",
        "target_id": "2",
        "target_label": "bob",
        "address": "127.0.0.1",
        "request_id": "req",
        "before": {"is_active": True},
        "after": {"is_active": False},
    }
    return Entry(**{**values, **changed})


def trail(length: int, **changed: Any) -> list[Entry]:
    """Appends so many rows."""
    entries = [entry(**changed) for _ in range(length)]
    append_entries(entries)
    return entries


@contextmanager
def by_hand() -> Iterator[Any]:
    """A cursor for somebody who may switch triggers off."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
            yield cursor
            cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER USER")
        else:
            cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_append_only'")
            (made,) = cursor.fetchone()
            cursor.execute("DROP TRIGGER audit_append_only")
            yield cursor
            cursor.execute(made)


def insert(made: Entry) -> None:
    made.created_at = made.created_at or timezone.now()
    Entry.objects.bulk_create([made])
