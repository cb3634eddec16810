from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from aimessage.admin import ServiceAdmin, actor_of
from reports.models import Report
from reports.querysets import ReportQuerySet
from reports.services import moderate_report

#: Oldest open first, then what is in progress, then what is done.
QUEUE = Case(
    When(status=Report.Status.OPEN, then=Value(0)),
    When(status=Report.Status.IN_PROGRESS, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


class ReportForm(forms.ModelForm):
    class Meta:
        model = Report
        fields = ["status", "comment"]
        widgets = {"comment": forms.Textarea(attrs={"rows": 5})}


@admin.register(Report)
class ReportAdmin(ServiceAdmin):
    form = ReportForm
    list_display = ["id", "badge", "title", "reporter_name", "about", "created_at", "resolver_name"]
    list_display_links = ["id", "title"]
    list_filter = ["status", "created_at", ("message_content", admin.EmptyFieldListFilter)]
    search_fields = ["title", "content", "reporter__username", "message_sender__username"]
    search_help_text = "Title, text, or the name of who reported or was reported"
    date_hierarchy = "created_at"
    actions = ["start", "resolve"]
    list_per_page = 50
    readonly_fields = [
        "reporter_name",
        "title",
        "complaint",
        "about",
        "reported_message",
        "created_at",
        "updated_at",
        "resolver_name",
        "resolved_at",
    ]
    fieldsets = [
        ("Complaint", {"fields": ["reporter_name", "title", "complaint", "created_at"]}),
        ("Reported message", {"fields": ["about", "reported_message"]}),
        ("Moderation", {"fields": ["status", "comment", "resolver_name", "resolved_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> ReportQuerySet:
        names = Report.objects.with_names().select_related("message_sender", "message")
        return names.order_by(QUEUE, "pk")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [QUEUE, "pk"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Report, form: forms.ModelForm, change: bool) -> None:
        moderate_report(obj, actor=actor_of(request), status=obj.status, comment=obj.comment or "")

    @admin.display(description="status", ordering="status")
    def badge(self, report: Report) -> SafeString:
        return format_html('<span class="badge {}">{}</span>', report.status, report.get_status_display())

    @admin.display(description="reporter", ordering="reporter__username")
    def reporter_name(self, report: Report) -> str:
        return report.reporter_username or "Deleted user"

    @admin.display(description="resolved by", ordering="resolved_by__username")
    def resolver_name(self, report: Report) -> str:
        return report.resolver_username or "-"

    @admin.display(description="about", ordering="message_sender__username")
    def about(self, report: Report) -> str:
        if report.message_content is None:
            return "-"
        return report.message_sender.username if report.message_sender else "Deleted user"

    @admin.display(description="complaint")
    def complaint(self, report: Report) -> SafeString:
        return format_html('<div class="quote">{}</div>', report.content)

    @admin.display(description="what it said")
    def reported_message(self, report: Report) -> SafeString | str:
        """The text as it was when reported, and what became of it since."""
        if report.message_content is None:
            return "This report is about no message."
        since = ""
        if report.message is None:
            since = "Deleted since."
        elif report.message.content != report.message_content:
            since = "Edited since."
        quote = format_html('<div class="quote">{}</div>', report.message_content)
        return format_html('{}<p class="since">{}</p>', quote, since) if since else quote

    @admin.action(description="Take up the selected reports", permissions=["change"])
    def start(self, request: HttpRequest, queryset: ReportQuerySet) -> None:
        self.act_on_each(
            request,
            queryset.filter(status=Report.Status.OPEN),
            lambda report: moderate_report(report, actor=actor_of(request), status=Report.Status.IN_PROGRESS),
            "taken up",
        )

    @admin.action(description="Resolve the selected reports", permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: ReportQuerySet) -> None:
        self.act_on_each(
            request,
            queryset.exclude(status=Report.Status.RESOLVED),
            lambda report: moderate_report(report, actor=actor_of(request), status=Report.Status.RESOLVED),
            "resolved",
        )
