"""Jobs by way of Redis: RQ's queues say which job is next, so that workers need not look at the table.

The rows stay the truth. What Redis loses is enqueued again, and while it is gone workers look as ever.
"""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress

from django.conf import settings
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job as RQJob

from aimessage.jobs.locks import make_locks, worker_lock
from aimessage.jobs.models import Job
from aimessage.jobs.running import claim, queues_with_work, run
from aimessage.server.redis import Link, RedisGone, link_to

#: Seconds that a worker waits for a job, and for an answer, which has to be more.
WAIT, ANSWER = 1, 5.0
#: Rows that one look enqueues again, of each queue.
BATCH = 1000


def waiting_link() -> Link:
    """For workers, which wait; enqueueing has a link of its own, with less patience."""
    return link_to(settings.JOBS_URL, timeout=ANSWER)


def push(queue_name: str, keys: Iterable[object]) -> None:
    """Enqueues the jobs with these primary keys. Without Redis nothing happens, now."""
    with suppress(RedisGone), link_to(settings.JOBS_URL).using() as redis:
        queue = Queue(queue_name, connection=redis)
        for key in keys:
            queue.enqueue_call(run_row, args=(queue_name, str(key)), job_id=str(key), result_ttl=0)


def pop(queue_name: str) -> str | None:
    """The primary key of the next job, None where there is none within WAIT. Raises RedisGone."""
    with waiting_link().using() as redis:
        try:
            _, key = Queue.lpop([Queue(queue_name, connection=redis).key], WAIT, connection=redis)
        except DequeueTimeout:
            return None
        found = key.decode()
        redis.delete(RQJob.key_for(found))
        return str(found)


def requeue() -> None:
    """Enqueues what is due and is in no queue: its time has come, or Redis has forgotten it."""
    for queue_name in queues_with_work():
        due = Job.objects.ready().filter(queue_name=queue_name).order_by("pk")
        keys = [str(key) for key in due.values_list("pk", flat=True)[:BATCH]]
        with suppress(RedisGone), link_to(settings.JOBS_URL).using() as redis:
            known = set(Queue(queue_name, connection=redis).get_job_ids())
            push(queue_name, [key for key in keys if key not in known])


def run_row(queue_name: str, key: str) -> None:
    """What a worker of RQ's own calls; `manage.py work` takes the jobs without it."""
    name = f"rq.{os.getpid()}.{secrets.token_hex(4)}"
    locks = make_locks()
    try:
        if locks.take(worker_lock(name)) and (job := claim([queue_name], name, key=key)):
            run(job)
    finally:
        locks.release()
