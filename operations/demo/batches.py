"""Writes rows in batches, one transaction each: what an interrupted run leaves is whole."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import reset_queries, transaction

from operations.progress import Steps

#: SQLite before 3.32 takes at most 999 parameters per query.
BATCH = 900

T = TypeVar("T")


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


def write_in_batches(items: Iterable[T], write: Callable[[list[T]], None], *, total: int) -> Steps:
    written = 0
    for batch in batches(items):
        with transaction.atomic():
            write(batch)
        written += len(batch)
        yield written, total
        # With DEBUG=1, Django keeps every query in memory.
        reset_queries()
