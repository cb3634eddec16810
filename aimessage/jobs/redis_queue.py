"""Optional queues in Redis (RQ), so that workers need not poll the table of jobs.

The rows in the database stay authoritative: `requeue` restores what Redis loses, and while Redis is down the
workers poll the table.
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

#: Seconds that a worker waits for a job, and for Redis's answer; the second must be longer.
WAIT, ANSWER = 1, 5.0
#: How many jobs of each queue one call of `requeue` restores.
BATCH = 1000


def waiting_link() -> Link:
    # Workers wait for jobs on this link; `push` uses another one with a shorter timeout.
    return link_to(settings.JOBS_URL, timeout=ANSWER)


def push(queue_name: str, keys: Iterable[object]) -> None:
    # Without Redis nothing happens here; `requeue` enqueues them later.
    with suppress(RedisGone), link_to(settings.JOBS_URL).using() as redis:
        queue = Queue(queue_name, connection=redis)
        for key in keys:
            queue.enqueue_call(run_row, args=(queue_name, str(key)), job_id=str(key), result_ttl=0)


def pop(queue_name: str) -> str | None:
    """The primary key of the next job; None if there is none within WAIT. Raises RedisGone."""
    with waiting_link().using() as redis:
        try:
            _, key = Queue.lpop([Queue(queue_name, connection=redis).key], WAIT, connection=redis)
        except DequeueTimeout:
            return None
        found = key.decode()
        redis.delete(RQJob.key_for(found))
        return str(found)


def requeue() -> None:
    """Enqueues due jobs that are in no queue: they have just become due, or Redis has lost them."""
    for queue_name in queues_with_work():
        due = Job.objects.ready().filter(queue_name=queue_name).order_by("pk")
        keys = [str(key) for key in due.values_list("pk", flat=True)[:BATCH]]
        with suppress(RedisGone), link_to(settings.JOBS_URL).using() as redis:
            known = set(Queue(queue_name, connection=redis).get_job_ids())
            push(queue_name, [key for key in keys if key not in known])


def run_row(queue_name: str, key: str) -> None:
    # Only RQ's own workers call this function; `manage.py work` pops the keys itself.
    name = f"rq.{os.getpid()}.{secrets.token_hex(4)}"
    locks = make_locks()
    try:
        if locks.take(worker_lock(name)) and (job := claim([queue_name], name, key=key)):
            run(job)
    finally:
        locks.release()
