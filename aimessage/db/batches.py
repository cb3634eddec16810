"""Deletes or changes many rows of a table in use, in batches that are short transactions.

Rows that another transaction has locked are skipped until the next time. So a sweep never waits, never
deadlocks, and two sweeps at once share the work.
"""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet

#: Rows that one transaction locks.
BATCH = 1000
#: Ids that are held in memory.
LOOK = 100_000

PrimaryKeys = list[Any]


def delete_in_batches(rows: "QuerySet[Model]", *, dry_run: bool = False) -> int:
    """Returns how many it deleted or, with `dry_run`, would delete."""

    def delete(pks: PrimaryKeys) -> int:
        rows.model._base_manager.filter(pk__in=pks).delete()
        return len(pks)

    return in_batches(rows, delete, dry_run=dry_run)


def update_in_batches(rows: "QuerySet[Model]", *, dry_run: bool = False, **changes: object) -> int:
    """Sets `changes`, after which a row must no longer match `rows`. Returns how many it changed or would."""

    def update(pks: PrimaryKeys) -> int:
        return rows.model._base_manager.filter(pk__in=pks).update(**changes)

    return in_batches(rows, update, dry_run=dry_run)


def in_batches(rows: "QuerySet[Model]", act: Callable[[PrimaryKeys], int], *, dry_run: bool = False) -> int:
    """Calls `act` with the ids of each locked batch; returns the sum of its results."""
    rows = rows.order_by()
    if dry_run:
        return rows.count()
    done = 0
    while True:
        before, found = done, list(rows.values_list("pk", flat=True)[:LOOK])
        for start in range(0, len(found), BATCH):
            with transaction.atomic():
                # Filtered again, since a row may have changed meanwhile.
                batch = rows.filter(pk__in=found[start : start + BATCH])
                locked = batch.select_for_update(skip_locked=True, of=("self",))
                done += act(list(locked.values_list("pk", flat=True)))
        if len(found) < LOOK or done == before:
            return done
