"""The assistant's jobs: they answer questions, take up replies that lost their job, and delete old data."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from django_tasks import TaskContext, task

from assistant.account import get_profile
from assistant.models import Reply
from assistant.services.answering import answer_reply
from assistant.sweeping import sweep

#: A reply that has been due for this long has lost its job.
FORGOTTEN_AFTER = timedelta(seconds=45)
#: Replies that one run enqueues.
AT_ONCE = 1000


@task(queue_name="assistant", takes_context=True)
def answer(context: TaskContext, reply_id: int) -> None:
    answer_reply(reply_id, holder=str(context.task_result.id))


@task
def look_after() -> None:
    """Enqueues replies that lost their jobs, and creates the assistant's account if there is none."""
    get_profile()
    now = timezone.now()
    unheld = Q(lease_until=None) | Q(lease_until__lt=now)
    forgotten = Reply.objects.first_in_line().filter(unheld, due_at__lt=now - FORGOTTEN_AFTER)
    for pk in forgotten.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]:
        answer.enqueue(pk)


@task
def prune() -> None:
    sweep()
