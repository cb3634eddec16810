"""Jobs by way of a Redis, which is emptied and killed meanwhile."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from django_tasks import TaskResultStatus
from pytest_django import Settings
from rq import Queue, SimpleWorker

from aimessage.jobs import redis_queue
from aimessage.jobs.models import Job
from aimessage.jobs.tests import tasks
from aimessage.jobs.tests.processes import Shop, wait_until
from aimessage.models import ThrottleWindow
from aimessage.server.redis import PAUSE
from tests.private_redis import PrivateRedis, private_redis

pytestmark = pytest.mark.waits

JOBS = 150


@pytest.fixture
def redis(tmp_path: Path, settings: Settings) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as redis:
        settings.JOBS_URL = redis.url
        yield redis


def start(shop: Shop, redis: PrivateRedis) -> Any:
    return shop.start("--queues", "webhooks", "mail", AI_MESSAGE_JOBS_URL=redis.url)


def waiting(redis: PrivateRedis, queue: str = "webhooks") -> list[str]:
    return Queue(queue, connection=redis.client).get_job_ids()


def blocked(redis: PrivateRedis) -> bool:
    return any(client["cmd"] == "blpop" for client in redis.client.client_list())


def enqueue_effect(number: int, milliseconds: int = 5) -> None:
    ThrottleWindow.objects.create(key=f"effect-{number}", ends_at=tasks.TO_DO, count=0)
    tasks.once.enqueue(f"effect-{number}", milliseconds)


def done() -> bool:
    ours = Job.objects.filter(queue_name="webhooks")  # without what the clock enqueues
    return not ours.exclude(status=TaskResultStatus.SUCCESSFUL).exists()


def test_a_job_is_enqueued_when_its_transaction_commits(shop: Shop, redis: PrivateRedis) -> None:
    with transaction.atomic():
        enqueue_effect(0)
        assert waiting(redis) == []
    assert waiting(redis) == [str(Job.objects.get().pk)]

    with transaction.atomic():
        enqueue_effect(1)
        transaction.set_rollback(True)
    assert len(waiting(redis)) == 1


def test_a_worker_takes_it_from_there(shop: Shop, redis: PrivateRedis) -> None:
    enqueue_effect(0)
    start(shop, redis)

    wait_until(done, "the job")

    assert waiting(redis) == []
    assert not redis.client.exists(f"rq:job:{Job.objects.get(queue_name='webhooks').pk}")


def test_what_is_due_later_is_enqueued_by_the_clock(shop: Shop, redis: PrivateRedis) -> None:
    ThrottleWindow.objects.create(key="effect-0", ends_at=tasks.TO_DO, count=0)
    tasks.once.using(run_after=timezone.now() + timedelta(seconds=2)).enqueue("effect-0", 5)
    assert waiting(redis) == []
    start(shop, redis)

    assert wait_until(done, "the job") > 1


def test_a_redis_that_is_emptied_and_killed_under_load_loses_nothing(shop: Shop, redis: PrivateRedis) -> None:
    for _ in range(2):
        start(shop, redis)
    over = threading.Event()

    def harm() -> None:
        while not over.wait(0.7):
            redis.client.flushall()
            if not over.wait(0.7):
                redis.kill()
                time.sleep(0.5)
                redis.start()

    harming = threading.Thread(target=harm)
    harming.start()
    for number in range(JOBS):
        enqueue_effect(number)
        time.sleep(0.03)
    over.set()
    harming.join()

    wait_until(done, "all jobs", limit=60)
    assert Job.objects.filter(queue_name="webhooks").count() == JOBS
    assert set(ThrottleWindow.objects.values_list("count", flat=True)) == {1}


def test_without_redis_workers_look_at_the_table(shop: Shop, redis: PrivateRedis) -> None:
    redis.kill()
    began = time.monotonic()
    for number in range(10):
        enqueue_effect(number)
    assert time.monotonic() - began < 3
    start(shop, redis)

    wait_until(done, "the jobs")


def test_workers_that_idled_without_redis_work_on_and_return_to_it(shop: Shop, redis: PrivateRedis) -> None:
    redis.kill()
    start(shop, redis)
    enqueue_effect(0)
    wait_until(done, "the first job")
    time.sleep(2 * PAUSE)

    enqueue_effect(1)
    wait_until(done, "a job while it is gone")

    time.sleep(2 * PAUSE)
    redis.start()
    enqueue_effect(2)
    wait_until(done, "a job when it is back")
    wait_until(lambda: blocked(redis), "the workers to wait there")


def test_a_worker_of_rqs_own_runs_them_too(shop: Shop, redis: PrivateRedis) -> None:
    enqueue_effect(0)
    queue = Queue("webhooks", connection=redis.client)
    worker: Any = SimpleWorker([queue], connection=redis.client)

    assert worker.work(burst=True)
    assert done()
    assert ThrottleWindow.objects.get(key="effect-0").count == 1


def test_what_was_enqueued_twice_runs_once(shop: Shop, redis: PrivateRedis) -> None:
    enqueue_effect(0, 300)
    redis_queue.push("webhooks", [Job.objects.get().pk] * 3)
    for _ in range(2):
        start(shop, redis)

    wait_until(lambda: done() and not waiting(redis), "the job")
    assert ThrottleWindow.objects.get(key="effect-0").count == 1
