import logging
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import User
from aimessage.audit.acting import record
from aimessage.backoffice.buttons import ButtonsAdmin
from aimessage.backoffice.lists import CONFIRMED, FOUND_LIMIT, Question, actor_of
from aimessage.db.ids import is_id
from reports.admin.buttons import BUTTONS, seen_in
from reports.admin.extensions import panels
from reports.admin.filters import AGES, AboutFilter, AgeFilter, AssignedFilter, StatusFilter
from reports.admin.forms import CommentForm, ReportForm
from reports.ages import in_short
from reports.models import Report
from reports.overview import overview_of
from reports.querysets import QUEUE, ReportQuerySet
from reports.services import Seen, claim_report, moderate_report

CLAIM = Question(
    "claim",
    "Claim {}?",
    "These will be yours, in progress:",
    "resolved, somebody else's, filed by you, or about you",
)
RESOLVE = Question(
    "resolve", "Resolve {}?", "These will be resolved:", "resolved already, filed by you, or about you"
)
LOOKED = "Looked at the conversation."

logger = logging.getLogger("reports")


@admin.register(Report)
class ReportAdmin(ButtonsAdmin):
    buttons = BUTTONS
    form = ReportForm
    list_display = ["badge", "age", "title", "reporter_name", "about", "assignee", "resolver_name"]
    list_display_links = ["title"]
    list_filter = [("status", StatusFilter), AgeFilter, AboutFilter, AssignedFilter]
    linked_lookups = ["resolved_at__gte", "message_sender__id__exact", "reporter__id__exact"]
    show_facets = admin.ShowFacets.ALWAYS
    search_fields = ["title", "content"]  # get_search_results adds the usernames
    confirm_display = ["badge", "age", "title", "reporter_name", "about", "assignee"]
    search_help_text = "Title, text, or how the name of who reported or was reported begins"
    date_hierarchy = "created_at"
    actions = ["claim", "resolve"]
    list_per_page = 50
    audit_texts = ["comment"]
    fieldsets = [("What you decide", {"fields": ["status", "comment"]})]

    def get_queryset(self, request: HttpRequest) -> ReportQuerySet:
        names = Report.objects.with_names().select_related("message_sender", "assigned_to")
        about_viewer = Q(message_sender__isnull=False, message_sender=actor_of(request))
        reports: ReportQuerySet = names.annotate(
            is_about_viewer=ExpressionWrapper(about_viewer, BooleanField())
        )
        if "reporter__id__exact" in request.GET:
            # Filtering by reporter must not reveal who filed a report about the viewer.
            reports = reports.not_about(actor_of(request))
        return reports.order_by(QUEUE, "pk")

    def get_ordering(self, request: HttpRequest) -> list[str | Combinable]:
        return [QUEUE, "pk"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.involves(actor_of(request)))

    def has_delete_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.involves(actor_of(request)))

    def save_model(self, request: HttpRequest, obj: Report, form: forms.ModelForm, change: bool) -> None:
        changed = {name: getattr(obj, name) or "" for name in form.changed_data}
        moderate_report(obj, actor=actor_of(request), seen=seen_in(request.POST), **changed)

    # --- The queue ---

    def changelist_view(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        kwargs["extra_context"] = {"title": "Reports, the oldest open first"}
        return super().changelist_view(request, *args, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Report], search_term: str
    ) -> tuple[QuerySet[Report], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        # Every filter that counts its choices asks for it, so the search runs once per request.
        found = request.__dict__.get("_reports_found")
        if found is None:
            # Finding a report about the viewer by its text or names would reveal who filed it.
            others = Report.objects.not_about(actor_of(request))
            said, _ = super().get_search_results(request, others.order_by(), term)
            found = request.__dict__["_reports_found"] = {*_ids(said), *_ids(_of_people(term, others))}
        return queryset.filter(pk__in=found), False

    @admin.display(description="status", ordering="status")
    def badge(self, report: Report) -> SafeString:
        return format_html('<span class="badge {}">{}</span>', report.status, report.get_status_display())

    @admin.display(description="age", ordering="created_at")
    def age(self, report: Report) -> SafeString:
        late = report.status == Report.Status.OPEN and report.age > AGES["day"]
        return format_html(
            '<span class="age{}" title="{} UTC">{}</span>',
            " late" if late else "",
            f"{report.created_at:%Y-%m-%d %H:%M}",
            in_short(report.age),
        )

    @admin.display(description="reporter", ordering="reporter__username")
    def reporter_name(self, report: Report) -> str:
        if getattr(report, "is_about_viewer", False):
            return "(not shown to you)"
        return report.reporter_username or "Deleted user"

    @admin.display(description="about", ordering="message_sender__username", empty_value="-")
    def about(self, report: Report) -> str | None:
        return report.accused

    @admin.display(description="assigned to", ordering="assigned_to__username", empty_value="-")
    def assignee(self, report: Report) -> str | None:
        return report.assignee_username

    @admin.display(description="resolved by", ordering="resolved_by__username", empty_value="-")
    def resolver_name(self, report: Report) -> str | None:
        return report.resolver_username

    @admin.action(description="Claim the selected reports", permissions=["change"])
    def claim(self, request: HttpRequest, queryset: ReportQuerySet) -> HttpResponse | None:
        actor = actor_of(request)
        free = queryset.unresolved().not_involving(actor).filter(Q(assigned_to=None) | Q(assigned_to=actor))
        if page := self.confirm(request, CLAIM, selected=queryset, touched=free):
            return page

        def claim(report: Report) -> None:
            claim_report(report, actor=actor, seen=_seen(request, report))

        self.act_on_each(request, queryset, claim, "report.claimed", "claimed")
        return None

    @admin.action(description="Resolve the selected reports with one comment", permissions=["change"])
    def resolve(self, request: HttpRequest, queryset: ReportQuerySet) -> HttpResponse | None:
        form = CommentForm(request.POST if CONFIRMED in request.POST else None)
        actor = actor_of(request)
        touched = queryset.unresolved().not_involving(actor)
        if page := self.confirm(request, RESOLVE, selected=queryset, touched=touched, form=form):
            return page

        def settle(report: Report) -> None:
            moderate_report(
                report,
                actor=actor,
                status=Report.Status.RESOLVED,
                comment=form.text,
                seen=_seen(request, report),
            )

        self.act_on_each(request, queryset, settle, "report.resolved", "resolved")
        return None

    def seen_of(self, obj: Report) -> str:
        return obj.version

    # --- A report's page ---

    def get_urls(self) -> list[URLPattern]:
        following = path("next/", self.admin_site.admin_view(self.next_view), name="reports_report_next")
        return [following, *super().get_urls()]

    def after_button(self, request: HttpRequest, obj: Report, *, done: bool) -> HttpResponse:
        if done and "_next" in request.POST:
            return redirect("admin:reports_report_next")
        return super().after_button(request, obj, done=done)

    def next_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        left = request.GET.get("not", "")
        reports = Report.objects.exclude(pk=int(left)) if is_id(left) else Report.objects.all()
        report = reports.not_involving(actor_of(request)).next_in_queue()
        if report is None:
            messages.info(request, "No other report is open." if left else "No report is open.")
            return redirect("admin:reports_report_changelist")
        return redirect("admin:reports_report_change", report.pk)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        report = context["original"]
        if report.message_sender_id == actor_of(request).pk:
            # Shows neither the reporter nor anything that would reveal them.
            return super().render_change_form(request, {**context, "overview": None}, *args, **kwargs)
        overview = overview_of(report)
        if overview.conversation:
            self._log_look(request, report)
        context |= {
            "overview": overview,
            # A form that is shown again keeps the version on which its text was typed.
            "seen": request.POST.get("seen", report.version),
            "sees_people": request.user.has_perm("accounts.view_user"),
            "may_shut_out": request.user.is_superuser or not (overview.sender and overview.sender.is_staff),
            "panels": list(_load_panels(request, report)),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _log_look(self, request: HttpRequest, report: Report) -> None:
        # In the audit trail and in the log, before anything is shown.
        message = report.message
        conversation = message.conversation_id if message else None
        logger.info(
            "conversation read: report=%s message=%s conversation=%s by=%s",
            report.pk,
            report.message_id,
            conversation,
            request.user.pk,
        )
        seen = {"conversation": conversation, "message": report.message_id}
        record(request, "conversation.read", LOOKED, target=report, after=seen)


def _load_panels(request: HttpRequest, report: Report) -> Iterator[dict[str, object]]:
    for panel in panels:
        loaded = panel.load(request, report)
        if loaded is not None:
            yield {"title": panel.title, "template": panel.template, **loaded}


def _seen(request: HttpRequest, report: Report) -> Seen:
    return Seen(version=request.POST.get(f"seen-{report.pk}"))


def _of_people(term: str, reports: ReportQuerySet) -> ReportQuerySet:
    people = User.objects.ids_named(term)
    return reports.filter(Q(reporter__in=people) | Q(message_sender__in=people))


def _ids(reports: QuerySet[Report]) -> list[int]:
    # One more than the list counts. In the order of the queue the limit cuts off those resolved long ago.
    return list(reports.order_by(QUEUE, "-pk").values_list("pk", flat=True)[: FOUND_LIMIT + 1])
