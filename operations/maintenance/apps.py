from datetime import timedelta

from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    name = "operations.maintenance"

    def ready(self) -> None:
        from aimessage.jobs.clock import periodically
        from operations.maintenance.jobs import sweep

        periodically("maintenance.sweep", timedelta(days=1), sweep, at=timedelta(hours=4))
