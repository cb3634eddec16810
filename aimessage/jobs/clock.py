"""Periodic work, run once a period however many workers there are.

Apps register it in their `apps.py`. There is no table of schedules: a row by name holds the last period that
was enqueued, and whoever moves it on enqueues the task, in one transaction.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone
from django_tasks.base import Task

_MOVE_ON = """
    INSERT INTO jobs_tick (name, period) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET period = excluded.period WHERE jobs_tick.period < excluded.period
"""


@dataclass(frozen=True)
class Periodic:
    name: str
    every: timedelta
    task: Task
    #: After the beginning of a period, which counts from midnight UTC.
    at: timedelta

    def period(self) -> int:
        return int((timezone.now().timestamp() - self.at.total_seconds()) // self.every.total_seconds())


_registered: dict[str, Periodic] = {}


def periodically(name: str, every: timedelta, task: Task, *, at: timedelta = timedelta()) -> None:
    """Has workers enqueue `task`, which takes no arguments, once in each period of `every`."""
    _registered[name] = Periodic(name, every, task, at)


class Clock:
    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def tick(self) -> list[str]:
        """Enqueues what is due and nobody else has enqueued; returns their names."""
        enqueued = []
        for each in _registered.values():
            period = each.period()
            if self.seen.get(each.name) == period:
                continue
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_MOVE_ON, [each.name, period])
                if cursor.rowcount == 1:
                    each.task.enqueue()
                    enqueued.append(each.name)
            self.seen[each.name] = period
        return enqueued
