"""The backend of Django's Tasks: the database, with nothing but ids as arguments."""

import re
from collections.abc import Mapping, Sequence
from functools import partial

from django.conf import settings
from django.db import transaction
from django_tasks_db.backend import DatabaseBackend, TaskResult
from django_tasks_db.compat import Task

#: Numbers and short ids, as of conversations. People's texts must not end up in the table of jobs.
_ID = re.compile(r"[\w.:@+-]{1,100}", re.ASCII)


class JobsBackend(DatabaseBackend):
    def enqueue(self, task: Task, args: Sequence[object], kwargs: Mapping[str, object]) -> TaskResult:
        """Raises TypeError for an argument that is not an id."""
        for value in (*args, *kwargs.values()):
            if not (isinstance(value, int | None) or (isinstance(value, str) and _ID.fullmatch(value))):
                raise TypeError(f"Arguments of jobs are ids; {task.module_path} was given another thing.")
        result: TaskResult = super().enqueue(task, args, kwargs)
        if settings.JOBS_URL and task.run_after is None:
            from aimessage.jobs.redis_queue import push

            transaction.on_commit(partial(push, task.queue_name, [result.id]), robust=True)
        return result
