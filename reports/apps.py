from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"

    def ready(self) -> None:
        from reports import (
            exporting,  # noqa: F401  adds to exports
            gauges,  # noqa: F401  registers them
        )
        from reports.events import add_report_kinds

        add_report_kinds()
