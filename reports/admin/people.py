"""What reports add to the pages about users."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from accounts.admin.extensions import Fate, Panel, counted, fates, filters, panels
from accounts.models import User
from reports.models import Report

#: Reports, filed and received each, that a user's page shows; a link leads to the rest.
REPORTS_SHOWN = 3


class ReportedFilter(SimpleListFilter):
    title = "reported"
    parameter_name = "reported"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unresolved", "In an unresolved report"), ("ever", "Ever")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "unresolved":
                # Few at any time; served by report_status.
                about = Report.objects.unresolved().filter(message_sender__isnull=False)
                return queryset.filter(pk__in=about.order_by().values("message_sender"))
            case "ever":
                return queryset.filter(Exists(Report.objects.filter(message_sender=OuterRef("pk"))))
        return queryset


def _panel(request: HttpRequest, user: User) -> dict[str, Any] | None:
    if not request.user.has_perm("reports.view_report"):
        return None
    lists = [
        ("Reported", Report.objects.filter(message_sender=user), "message_sender__id__exact"),
        ("Has reported", Report.objects.filter(reporter=user), "reporter__id__exact"),
    ]
    return {
        "lists": [
            {
                "title": title,
                "count": counted(reports, "time", "times"),
                "latest": list(reports.order_by("-pk")[:REPORTS_SHOWN]),
                "query": f"{parameter}={user.pk}",
            }
            for title, reports, parameter in lists
        ]
    }


def _fate(users: list[int]) -> Fate:
    filed = counted(Report.objects.filter(reporter__in=users), "report filed", "reports filed")
    about = counted(Report.objects.filter(message_sender__in=users), "report about", "reports about")
    worked = counted(Report.objects.filter(resolved_by__in=users), "report resolved", "reports resolved")
    return Fate(
        stays=[
            f"{filed}, under no name",
            f"{about} messages sent, with what these said, under no name",
            f"{worked} by this account, under no name; what it had claimed is nobody's",
        ]
    )


filters += [ReportedFilter]
panels.insert(2, Panel("Reports", "admin/accounts/user/reports.html", _panel))
fates += [_fate]
