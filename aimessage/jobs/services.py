from django_tasks import TaskResultStatus
from django_tasks_db.models import get_date_max

from aimessage.api.problems import DomainError
from aimessage.jobs.models import Job


class NotWaiting(DomainError):
    def __init__(self) -> None:
        super().__init__("The job is running or done")


def run_again(job: Job) -> None:
    """Makes a job that failed, or waits for its next try, due at once, and resets its tries.

    Raises NotWaiting if it is running or done.
    """
    waiting = Job.objects.filter(pk=job.pk, status__in=[TaskResultStatus.FAILED, TaskResultStatus.READY])
    now = {"status": TaskResultStatus.READY, "run_after": get_date_max(), "finished_at": None}
    if not waiting.update(**now, worker_ids=[], exception_class_path="", traceback=""):
        raise NotWaiting
