"""The filter, panel and deletion summary that reports add to the pages about users."""

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from accounts.admin.extensions import (
    DeletionSummary,
    Panel,
    counted,
    deletion_summaries,
    filters,
    lines,
    panels,
)
from accounts.models import User
from aimessage.backoffice.lists import actor_of
from reports.models import Report

#: How many reports by a user, and about them, their page shows; a link leads to the rest.
REPORTS_SHOWN = 3


class ReportedFilter(SimpleListFilter):
    title = "reported"
    parameter_name = "reported"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("unresolved", "In an unresolved report"), ("ever", "Ever")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        match self.value():
            case "unresolved":
                # Few at any time; served by report_status.
                about = Report.objects.unresolved().filter(message_sender__isnull=False)
                return queryset.filter(pk__in=about.order_by().values("message_sender"))
            case "ever":
                return queryset.filter(Exists(Report.objects.filter(message_sender=OuterRef("pk"))))
        return queryset


def _panel(request: HttpRequest, user: User) -> dict[str, object] | None:
    if not request.user.has_perm("reports.view_report"):
        return None
    # Nobody learns here who filed a report about them.
    filed = Report.objects.filter(reporter=user).not_about(actor_of(request))
    lists = [
        ("Reported", Report.objects.filter(message_sender=user), "message_sender__id__exact"),
        ("Has reported", filed, "reporter__id__exact"),
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


def _deletion_summary(users: list[int]) -> DeletionSummary:
    filed = Report.objects.filter(reporter__in=users)
    about = Report.objects.filter(message_sender__in=users)
    resolved = Report.objects.filter(resolved_by__in=users)
    claimed = Report.objects.unresolved().filter(assigned_to__in=users)
    return DeletionSummary(
        stays=[
            *lines(filed, "report", "reports", " filed, under no name"),
            *lines(about, "report", "reports", " about what was sent, with the reported text, under no name"),
            *lines(resolved, "report", "reports", " resolved, by nobody named"),
            *lines(claimed, "report", "reports", " in progress, claimed by nobody then"),
        ]
    )


filters += [ReportedFilter]
panels.insert(2, Panel("Reports", "admin/accounts/user/reports.html", _panel))
deletion_summaries += [_deletion_summary]
