from datetime import timedelta

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "aimessage.jobs"
    label = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        from aimessage.jobs import gauges  # noqa: F401  registers them
        from aimessage.jobs.clock import periodically
        from aimessage.jobs.pruning import prune

        periodically("jobs.prune", timedelta(hours=1), prune)
