from datetime import timedelta

from django.apps import AppConfig
from django.conf import settings


class JobsConfig(AppConfig):
    name = "aimessage.jobs"
    label = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        from aimessage.jobs import gauges  # noqa: F401  registers them
        from aimessage.jobs.clock import periodically
        from aimessage.jobs.pruning import prune

        periodically("jobs.prune", timedelta(hours=1), prune)
        if settings.JOBS_URL:
            from aimessage.jobs.loops import Loop, add_loop
            from aimessage.jobs.redis_queue import requeue

            add_loop(Loop("jobs.requeue", requeue, every=1.0))
