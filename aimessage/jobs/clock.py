"""Periodic tasks, enqueued once per period even with many workers.

Apps register them in their `apps.py`. A row per task holds the last period that was enqueued; the worker that
advances the row enqueues the task in the same transaction.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone
from django_tasks.base import Task

_ADVANCE = """
    INSERT INTO jobs_tick (name, period) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET period = excluded.period WHERE jobs_tick.period < excluded.period
"""


@dataclass(frozen=True)
class Periodic:
    name: str
    every: timedelta
    task: Task
    #: Offset from the start of each period; periods start at midnight UTC.
    at: timedelta

    def period(self) -> int:
        return int((timezone.now().timestamp() - self.at.total_seconds()) // self.every.total_seconds())


_registered: dict[str, Periodic] = {}


def periodically(name: str, every: timedelta, task: Task, *, at: timedelta = timedelta()) -> None:
    """Registers `task`, which takes no arguments, to be enqueued once in each period of `every`."""
    _registered[name] = Periodic(name, every, task, at)


class Clock:
    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def tick(self) -> list[str]:
        enqueued = []
        for each in _registered.values():
            period = each.period()
            if self.seen.get(each.name) == period:
                continue
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_ADVANCE, [each.name, period])
                if cursor.rowcount == 1:
                    each.task.enqueue()
                    enqueued.append(each.name)
            self.seen[each.name] = period
        return enqueued
