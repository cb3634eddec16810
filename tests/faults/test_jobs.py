"""Workers for jobs are killed, and their PostgreSQL is killed, frozen or cut off: nothing is lost."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django_tasks import TaskResultStatus

from aimessage.jobs.models import Job
from aimessage.jobs.tests import tasks
from aimessage.jobs.tests.processes import Shop, kill_workers_in_mid_job
from aimessage.models import ThrottleWindow
from tests.faults.scale import scale
from tests.faults.servers import ROOT, Application, PostgreSQL, Wire, wait_until

pytestmark = pytest.mark.faults

KILLS = scale("JOB_KILLS", 50, 4)
JOBS = 60
#: Short jobs that are timed.
MANY = scale("SHORT_JOBS", 1000, 100)
#: Seconds after an outage in which all jobs must be done.
RECOVERY = 60


def test_workers_killed_in_mid_job(shop: Shop, figure: Any) -> None:
    took = sorted(kill_workers_in_mid_job(shop, KILLS))
    effects = list(ThrottleWindow.objects.values_list("count", flat=True))

    figure(
        kills=KILLS, again_median=took[KILLS // 2], again_worst=took[-1], doubled=sum(effects) - len(effects)
    )
    assert took[KILLS // 2] < 3
    assert effects == [1] * (2 * KILLS)


@pytest.fixture
def wire(postgres: PostgreSQL) -> Iterator[Wire]:
    wire = Wire(postgres.port)
    yield wire
    wire.close()


@pytest.fixture
def wired(postgres: PostgreSQL, wire: Wire, tmp_path: Path) -> Iterator[Application]:
    """A database behind the wire, and two workers."""
    application = Application(tmp_path / "application", postgres.url(wire.port))
    application.manage("migrate", "--verbosity", "0")
    workers = []
    with application.output.open("ab") as log:
        for _ in range(2):
            command = [sys.executable, "manage.py", "work"]
            workers.append(
                subprocess.Popen(command, cwd=ROOT, env=application.environment, stdout=log, stderr=log)
            )
    yield application
    for worker in workers:
        worker.kill()
        worker.wait()


def killed(postgres: PostgreSQL, wire: Wire) -> tuple[Callable[[], object], Callable[[], object]]:
    return postgres.kill, postgres.start


def frozen(postgres: PostgreSQL, wire: Wire) -> tuple[Callable[[], object], Callable[[], object]]:
    return lambda: postgres.signal(signal.SIGSTOP), lambda: postgres.signal(signal.SIGCONT)


def cut_off(postgres: PostgreSQL, wire: Wire) -> tuple[Callable[[], object], Callable[[], object]]:
    return wire.cut, wire.mend


ENQUEUE = f"""
from aimessage.jobs.models import Job
from aimessage.jobs.tests import tasks
from aimessage.models import ThrottleWindow
Job.objects.all().delete()
ThrottleWindow.objects.all().delete()
for number in range({JOBS}):
    ThrottleWindow.objects.create(key=f"effect-{{number}}", ends_at=tasks.TO_DO, count=0)
    tasks.once.enqueue(f"effect-{{number}}", 300)
"""
LEFT = """
SELECT count(*) FROM django_tasks_database_dbtaskresult
WHERE queue_name = 'webhooks' AND status <> 'SUCCESSFUL'
"""
EFFECTS = "SELECT count FROM aimessage_throttlewindow"


def left(application: Application) -> int:
    ((count,),) = application.ask(LEFT)
    return int(count)


@pytest.mark.parametrize("kind", [killed, frozen, cut_off])
def test_jobs_outlive_an_outage(
    kind: Any, wired: Application, postgres: PostgreSQL, wire: Wire, figure: Any
) -> None:
    begin, end = kind(postgres, wire)
    wired.run(ENQUEUE)
    wait_until(lambda: left(wired) < JOBS, 60, "the first job")

    begin()
    time.sleep(15)
    end()

    took = wait_until(lambda: left(wired) == 0, RECOVERY, "all jobs")
    effects = [count for (count,) in wired.ask(EFFECTS)]
    figure(jobs=JOBS, seconds=took, doubled=sum(effects) - len(effects))
    assert effects == [1] * JOBS


def test_jobs_a_second(shop: Shop, figure: Any) -> None:
    """One thread runs nothing but short jobs; one connection enqueues them."""
    started = time.perf_counter()
    for number in range(MANY):
        tasks.add.enqueue(number, 1)
    enqueued = MANY / (time.perf_counter() - started)
    waiting = Job.objects.filter(task_path=tasks.add.module_path, status=TaskResultStatus.READY)
    shop.start("--queues", "default")
    wait_until(lambda: waiting.count() < MANY, 180, "a first job")
    started, left = time.perf_counter(), waiting.count()
    wait_until(lambda: not waiting.exists(), 300, "all jobs")

    figure(enqueued_a_second=round(enqueued), run_a_second=round(left / (time.perf_counter() - started)))
