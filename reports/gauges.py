"""Gauges of reports for Prometheus, read when it scrapes."""

from django.db.models import Count

from aimessage.server.metrics.gauges import Values, gauge
from reports.models import Report


@gauge("aimessage_reports", "Reports there are, by status.", ("status",))
def count_reports() -> Values:
    # Served by report_status alone, without the table.
    counts = dict(Report.objects.order_by().values_list("status").annotate(Count("pk")))
    return {(status,): counts.get(status, 0) for status in Report.Status.values}


@gauge(
    "aimessage_reports_oldest_open_timestamp_seconds",
    "When the report was filed that has been open for longest, as Unix time; absent where none is open.",
)
def find_oldest_open() -> Values:
    report = Report.objects.next_in_queue()
    return {(): report.created_at.timestamp()} if report else {}
