"""`manage.py work`: real processes, killed and stopped."""

import signal
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks import TaskResultStatus

from aimessage.jobs.locks import count_workers
from aimessage.jobs.models import Job, Tick
from aimessage.jobs.tests import tasks
from aimessage.jobs.tests.processes import Shop, kill_workers_in_mid_job, wait_until
from aimessage.models import ThrottleWindow

pytestmark = pytest.mark.waits


def runs(shop: Shop, name: str, times: int) -> None:
    wait_until(lambda: len(shop.notes(name)) >= times, f"{name} {times} times")


def test_a_job_whose_worker_is_killed_runs_again_within_moments(shop: Shop) -> None:
    took = kill_workers_in_mid_job(shop, 3)

    assert min(took) < 4  # the others, too, where nobody else uses the machine
    assert set(ThrottleWindow.objects.values_list("count", flat=True)) == {1}


def test_a_job_of_the_only_worker_runs_again_when_one_is_started(shop: Shop) -> None:
    tasks.slow.enqueue("cut", 60_000)
    first = shop.start("--queues", "mail")
    runs(shop, "cut", 1)
    first.kill()
    first.wait()

    shop.start("--queues", "mail")

    runs(shop, "cut", 2)
    assert [line.split()[0] for line in shop.notes("cut")] == ["begun", "begun"]


def test_sigterm_lets_a_job_finish(shop: Shop) -> None:
    tasks.slow.enqueue("first", 1500)
    tasks.slow.enqueue("second", 1500)
    worker = shop.start("--queues", "mail")
    runs(shop, "first", 1)

    worker.terminate()

    assert worker.wait(timeout=10) == 0
    assert [line.split()[0] for line in shop.notes("first")] == ["begun", "ended"]
    assert shop.notes("second") == []
    assert set(Job.objects.filter(queue_name="mail").values_list("status", flat=True)) == {
        TaskResultStatus.SUCCESSFUL,
        TaskResultStatus.READY,
    }
    assert count_workers() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_stops_at_once(shop: Shop, number: int) -> None:
    worker = shop.start()
    wait_until(lambda: count_workers() == 1, "a worker")

    worker.send_signal(number)

    assert worker.wait(timeout=15) == 0


def test_a_second_signal_ends_it_without_waiting(shop: Shop) -> None:
    tasks.slow.enqueue("long", 60_000)
    worker = shop.start("--queues", "mail")
    runs(shop, "long", 1)
    worker.terminate()
    time.sleep(0.5)

    worker.terminate()

    assert worker.wait(timeout=15) == -signal.SIGTERM


def test_a_job_that_hangs_is_left_to_the_next_worker_after_the_grace(shop: Shop) -> None:
    tasks.slow.enqueue("long", 60_000)
    worker = shop.start(script="from aimessage.jobs import working; working.GRACE = 1.0")
    runs(shop, "long", 1)

    worker.terminate()
    assert worker.wait(timeout=10) == 1

    shop.start("--queues", "mail")
    runs(shop, "long", 2)


def test_a_slow_queue_holds_up_no_other(shop: Shop) -> None:
    tasks.slow.enqueue("long", 30_000)
    shop.start()
    runs(shop, "long", 1)

    tasks.slow.using(queue_name="default").enqueue("short", 0)

    runs(shop, "short", 2)
    assert len(shop.notes("long")) == 1


def test_a_job_for_later_waits(shop: Shop) -> None:
    due = timezone.now() + timedelta(seconds=4)
    tasks.slow.using(run_after=due).enqueue("later", 0)
    shop.start("--queues", "mail")

    runs(shop, "later", 1)

    assert timezone.now() >= due
    assert Job.objects.get(queue_name="mail").started_at >= due


def test_two_workers_ring_the_clock_once_a_period_and_share_a_loop(shop: Shop) -> None:
    script = """
periodically("tests.tick", timedelta(seconds=2), tasks.tick)
add_loop(Loop("alone", lambda: tasks.note("alone", "alone"), every=0.1))
add_loop(Loop("all", lambda: tasks.note("all", "all"), every=0.1, alone=False))
"""
    begun = time.time()
    workers = [shop.start(script=script) for _ in range(2)]
    wait_until(lambda: len({line.split()[1] for line in shop.notes("all")}) == 2, "both to work")
    runs(shop, "ticks", 3)
    took = time.time() - begun

    # So many periods of two seconds can so much time touch, the first and the last in part.
    assert len(shop.notes("ticks")) <= took // 2 + 2
    assert Tick.objects.filter(name="tests.tick").count() == 1
    (pid,) = {int(line.split()[1]) for line in shop.notes("alone")}
    # The other takes over.
    holder = next(worker for worker in workers if worker.pid == pid)
    holder.kill()
    holder.wait()
    wait_until(lambda: len({line.split()[1] for line in shop.notes("alone")}) == 2, "the other's turn")


def test_a_loop_that_raises_is_called_again(shop: Shop) -> None:
    script = """
def fail():
    tasks.note("failing", "called")
    raise OSError("no luck")
add_loop(Loop("failing", fail, every=0.1))
"""
    shop.start(script=script)

    runs(shop, "failing", 3)

    assert "no luck" in shop.log.read_text()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no connections to lose")
def test_lost_connections_stop_nothing(shop: Shop) -> None:
    tasks.slow.enqueue("through", 3000)
    shop.start("--queues", "mail")
    runs(shop, "through", 1)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] >= 2  # the locks' and the supervisor's

    runs(shop, "through", 2)
    wait_until(Job.objects.filter(queue_name="mail", status="SUCCESSFUL").exists, "the end of it")
    tasks.slow.enqueue("after", 0)
    runs(shop, "after", 2)
    wait_until(lambda: count_workers() == 1, "its lock")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has poolers")
def test_behind_a_pooler_a_killed_worker_is_missed_too(shop: Shop) -> None:
    tasks.slow.enqueue("cut", 60_000)
    first = shop.start("--queues", "mail", AI_MESSAGE_DATABASE_POOLER="1")
    runs(shop, "cut", 1)
    first.kill()
    first.wait()

    shop.start("--queues", "mail", AI_MESSAGE_DATABASE_POOLER="1")

    runs(shop, "cut", 2)


def test_an_unknown_queue_is_named(shop: Shop) -> None:
    worker = shop.start("--queues", "nowhere")

    assert worker.wait(timeout=30) == 1
    assert "There is no queue nowhere" in shop.log.read_text()
