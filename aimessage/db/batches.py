"""Deleting and changing many rows of a table in use: in batches, each a short transaction of its own.

Nothing here waits for a row: what another holds is left for the next time. So a sweep can be part of
no deadlock, and two at once share the work.
"""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet

#: Rows that are locked at a time.
BATCH = 1000
#: Rows that one look finds, so that their ids fit into memory whatever there is to do.
LOOK = 100_000


def delete_in_batches(rows: "QuerySet[Model]", *, dry_run: bool = False) -> int:
    """Deletes `rows`; returns how many, or with `dry_run` how many there are to delete."""

    def delete(pks: list[Any]) -> int:
        rows.model._base_manager.filter(pk__in=pks).delete()
        return len(pks)

    return in_batches(rows, delete, dry_run=dry_run)


def update_in_batches(rows: "QuerySet[Model]", *, dry_run: bool = False, **changes: object) -> int:
    """Sets `changes` on `rows`, after which they must be `rows` no more; returns as delete_in_batches."""

    def update(pks: list[Any]) -> int:
        return rows.model._base_manager.filter(pk__in=pks).update(**changes)

    return in_batches(rows, update, dry_run=dry_run)


def in_batches(rows: "QuerySet[Model]", act: Callable[[list[Any]], int], *, dry_run: bool = False) -> int:
    """Calls `act` with the locked ids of `rows`, some at a time; the sum of what it returns."""
    rows = rows.order_by()
    if dry_run:
        return rows.count()
    done = 0
    while True:
        before, found = done, list(rows.values_list("pk", flat=True)[:LOOK])
        for start in range(0, len(found), BATCH):
            with transaction.atomic():
                # Asked again: a row may have changed since the look.
                batch = rows.filter(pk__in=found[start : start + BATCH])
                locked = batch.select_for_update(skip_locked=True, of=("self",))
                done += act(list(locked.values_list("pk", flat=True)))
        if len(found) < LOOK or done == before:
            return done
