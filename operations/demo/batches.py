"""Rows are written in batches: one transaction each, so that a stopped run leaves whole ones behind."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import reset_queries, transaction

from operations.progress import Steps

#: SQLite takes 999 parameters a query, whatever it was built with.
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
        # With DEBUG=1 Django keeps the text of every query.
        reset_queries()
