from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"

    def ready(self) -> None:
        from reports import readings  # noqa: F401  registers them
        from reports.events import add_report_kinds

        add_report_kinds()
