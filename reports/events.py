"""The events of reports: their kinds, and what each shows (aimessage/events)."""

from collections.abc import Sequence

from aimessage.events.kinds import EventRow, add_kinds
from aimessage.events.log import record
from aimessage.webhooks.kinds import Told, add_webhook_kinds
from reports.models import Report
from reports.serializers import ReportSerializer

#: For webhooks alone.
REPORT_CREATED = "report.created"
REPORT_UPDATED = "report.updated"


def add_report_kinds() -> None:
    add_kinds([REPORT_UPDATED], report_objects, scope="reports:read")
    add_webhook_kinds([REPORT_CREATED, REPORT_UPDATED], tell_reports)


def record_report(kind: str, report: Report, *, of_reporter: bool = True) -> None:
    # Without a user, an event goes to webhooks alone.
    users = [report.reporter_id] if of_reporter else []
    record(kind, users, data={"report_id": report.pk, "reporter_id": report.reporter_id})


def report_objects(rows: Sequence[EventRow]) -> dict[int, object]:
    ids = {row.data["report_id"] for row in rows}
    reports = {report.pk: report for report in Report.objects.filter(pk__in=ids).with_names()}
    found = [(row, reports.get(row.data["report_id"])) for row in rows]
    return {row.id: ReportSerializer.show(report) for row, report in found if report is not None}


def tell_reports(rows: Sequence[EventRow]) -> dict[int, Told]:
    reports = report_objects(rows)
    return {row.id: Told(row.data, {"report": reports[row.id]} if row.id in reports else {}) for row in rows}
