"""Jobs for the tests. Processes of their own run them too, and write to JOBS_TEST_FOLDER."""

import os
import time
from datetime import datetime
from pathlib import Path

from django.db import DatabaseError, OperationalError, transaction
from django_tasks import task

from aimessage.jobs.retries import retrying
from aimessage.models import ThrottleWindow

#: The end of a window that a job is to work on, and of one that is done; no sweep takes either.
TO_DO, DONE = 8e9, 9e9
#: What `failed` was called with, by the name of the job.
heard: dict[str, list[tuple[str, datetime | None]]] = {}
#: What a job raises next, by its name.
trouble: dict[str, list[Exception]] = {}


def note(name: str, text: str) -> None:
    with (Path(os.environ["JOBS_TEST_FOLDER"]) / name).open("a") as file:
        file.write(f"{text} {os.getpid()}\n")


@task
def add(first: int, second: int) -> int:
    return first + second


@task
def break_down() -> None:
    raise ValueError("it broke")


@task
def lose_the_database() -> None:
    raise OperationalError("server closed the connection unexpectedly")


@task(queue_name="mail")
def slow(name: str, milliseconds: int) -> None:
    note(name, "begun")
    time.sleep(milliseconds / 1000)
    note(name, "ended")


@task(queue_name="webhooks")
def once(key: str, milliseconds: int) -> None:
    """Looks first, so that its effect happens once however often it runs."""
    with transaction.atomic():
        row = ThrottleWindow.objects.select_for_update().get(key=key)
        if row.ends_at == DONE:
            return
    time.sleep(milliseconds / 1000)
    with transaction.atomic():
        row = ThrottleWindow.objects.select_for_update().get(key=key)
        if row.ends_at != DONE:
            row.count += 1
            row.ends_at = DONE
            row.save()


def hear(error: Exception, next_at: datetime | None, name: str) -> None:
    ThrottleWindow.objects.create(key=f"{name}-{len(heard.get(name, []))}", ends_at=0, count=0)
    heard.setdefault(name, []).append((type(error).__name__, next_at))


@task(queue_name="mail")
@retrying([60, 300, 1800], jitter=0, failed=hear)
def stubborn(name: str) -> str:
    if errors := trouble.get(name):
        raise errors.pop(0)
    return "done"


def hear_and_break(error: Exception, next_at: datetime | None, name: str) -> None:
    hear(error, next_at, name)
    raise DatabaseError("the connection is lost")


@task
@retrying([60], failed=hear_and_break)
def cut_off(name: str) -> None:
    raise OSError


@task
@retrying([100], jitter=0.1)
def jittery() -> None:
    raise OSError


@task
def tick() -> None:
    note("ticks", "tick")
