"""Workers as processes of their own, over a database of their own, which tests may kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.db import connection
from django_tasks import TaskResultStatus

from aimessage.jobs.locks import count_workers
from aimessage.jobs.models import Job
from aimessage.jobs.tests import tasks
from aimessage.models import ThrottleWindow
from operations.maintenance.tests.databases import Databases

ROOT = Path(__file__).resolve().parents[3]
#: Seconds for a process to start on a busy machine.
PATIENCE = 40.0


def wait_until(true: Callable[[], Any], what: object, limit: float = PATIENCE) -> float:
    """Seconds until it is."""
    begun = time.monotonic()
    while not true():
        if time.monotonic() - begun > limit:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - begun


class Shop:
    """A migrated database, a folder that jobs write to, and the workers over both."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.log = folder, folder / "log"
        if connection.vendor == "sqlite":
            url = f"sqlite:///{name}"
        else:
            url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
        self.environment = {
            "PATH": os.environ["PATH"],
            "AI_MESSAGE_ENV_FILE": os.devnull,
            "AI_MESSAGE_LOGS_FOLDER": "-",
            "SECRET_KEY": "a-long-text-that-stands-for-a-random-key-0123456789",
            "DATABASE_URL": url,
            "JOBS_TEST_FOLDER": str(folder),
        }
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, script: str = "", **extra: str) -> "subprocess.Popen[bytes]":
        """A worker; with a `script`, one that runs it before it starts to work."""
        command = ["manage.py", "work", *arguments]
        if script:
            command = ["-c", f"{SET_UP}{script}\nwork({{'default': 1, 'mail': 1}})"]
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**self.environment, **extra},
                stdout=log,
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def notes(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def kill_all(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
            worker.wait()


SET_UP = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "aimessage.settings"
django.setup()
from datetime import timedelta
from aimessage.jobs.clock import periodically
from aimessage.jobs.loops import Loop, add_loop
from aimessage.jobs.tests import tasks
from aimessage.jobs.working import work
"""


@contextmanager
def opened(folder: Path, databases: Databases, name: str) -> Iterator[Shop]:
    shop = Shop(folder, name)
    with databases.use(name):
        try:
            yield shop
        finally:
            shop.kill_all()
            if shop.log.exists():
                sys.stderr.write(shop.log.read_text())  # shown where the test fails


def tried_twice(job: Job) -> bool:
    job.refresh_from_db()
    return len(job.worker_ids) == 2


def kill_workers_in_mid_job(shop: Shop, kills: int) -> list[float]:
    """Kills whichever worker has a job; returns after how many seconds each such job ran again."""
    for number in range(kills * 2):
        ThrottleWindow.objects.create(key=f"effect-{number}", ends_at=tasks.TO_DO, count=0)
    shop.start("--queues", "webhooks")
    took = []
    for number in range(kills):
        shop.start("--queues", "webhooks")
        wait_until(lambda: count_workers() == 2, "two workers")
        for key in (2 * number, 2 * number + 1):
            tasks.once.enqueue(f"effect-{key}", 400)
        running = Job.objects.filter(status=TaskResultStatus.RUNNING)
        wait_until(running.exists, "a job that runs")
        job = running[0]
        pid = int(job.worker.rsplit(".", 2)[1])
        os.kill(pid, signal.SIGKILL)
        took.append(wait_until(partial(tried_twice, job), "another try"))
        next(worker for worker in shop.workers if worker.pid == pid).wait()
    done = Job.objects.filter(queue_name="webhooks", status=TaskResultStatus.SUCCESSFUL)
    wait_until(lambda: done.count() == 2 * kills, "all jobs")
    return took
