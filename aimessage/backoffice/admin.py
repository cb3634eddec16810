"""The page of the audit trail, read-only, for superusers and holders of `audit.view_entry`."""

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from aimessage.audit.acting import record
from aimessage.audit.models import Entry
from aimessage.audit.states import NOT_SHOWN
from aimessage.backoffice import jobs, mails  # noqa: F401  register their pages
from aimessage.backoffice.export import csv_response
from aimessage.backoffice.filters import ActFilter, ActorFilter, DateFilter
from aimessage.backoffice.lists import BoundedChangeList, ReadOnlyAdmin
from aimessage.backoffice.pages import AuditedAdmin
from aimessage.backoffice.targets import page_of_target, page_url
from aimessage.db.text import fold

#: Rows that the list counts and pages through. A filter by date reaches older ones.
REACH = 5000


class ReachPaginator(Paginator):
    """Counts at most REACH rows, so that a page costs the same however long the trail is."""

    @cached_property
    def count(self) -> int:
        entries: Any = self.object_list
        return len(entries.order_by("-pk").values_list("pk", flat=True)[:REACH])


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin, AuditedAdmin):
    list_display = ["time", "who", "sentence", "act", "target_label", "address"]
    list_display_links = ["time"]
    list_filter = [DateFilter, ActFilter, ActorFilter]
    search_fields = ["actor_key"]  # shows the box; get_search_results searches
    search_help_text = (
        "The beginning of a name, who acted or on whom; or a whole address, request or row number"
    )
    sortable_by = ()
    actions = None
    list_per_page = 50
    paginator = ReachPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    readonly_fields = ["time", "who", "on_whom", "changes"]
    fieldsets = [
        (None, {"fields": ["time", "who", "sentence", "on_whom", "address"]}),
        ("What changed", {"fields": ["changes"]}),
        ("For the record", {"fields": ["id", "act", "request_id", "previous_hash", "hash"]}),
    ]

    # --- The list ---

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return BoundedChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Audit trail, newest first", "reach": REACH})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        key = fold(term)
        found = Q(actor_key__startswith=key) | Q(target_key__startswith=key)
        found |= Q(address=term) | Q(request_id=term)
        if term.isascii() and term.isdigit() and len(term) < 19:
            found |= Q(pk=int(term))
        return queryset.filter(found), False

    @admin.display(description="time (UTC)")
    def time(self, entry: Entry) -> str:
        return f"{entry.created_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="who")
    def who(self, entry: Entry) -> SafeString | str:
        if entry.actor_id is None:
            return format_html('<span class="quiet" title="Not logged in">{}</span>', entry.actor_name)
        url = f"{reverse('admin:audit_entry_changelist')}?actor={entry.actor_id}"
        return format_html(
            '<a href="{}" title="All acts of user {}">{}</a>', url, entry.actor_id, entry.actor_name
        )

    # --- One row ---

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {"title": "Audit entry", "subtitle": None})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Entry | None:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            entry.request = request  # for on_whom, which gets only the entry
        return entry

    @admin.display(description="on whom")
    def on_whom(self, entry: Entry) -> SafeString | str:
        if not entry.target_kind:
            return "-"
        name = entry.target_label or entry.target_id
        page = page_of_target(entry, entry.request)  # type: ignore[attr-defined]
        if page is None:
            return format_html("{} ({} {})", name, entry.target_kind, entry.target_id)
        noun = page.opts.verbose_name
        links = format_html('<a href="{}">its history</a>', page_url(page, "history", entry))
        if page.model._base_manager.filter(pk=entry.target_id).exists():
            url = page_url(page, "change", entry)
            return format_html('<a href="{}">{}</a> ({} {}; {})', url, name, noun, entry.target_id, links)
        return format_html("{} ({} {}, deleted since; {})", name, noun, entry.target_id, links)

    @admin.display(description="fields")
    def changes(self, entry: Entry) -> SafeString:
        return render_to_string("admin/audit/entry/changes.html", {"changes": entry.changes})

    # --- The export ---

    def get_urls(self) -> list[URLPattern]:
        export = path("export/", self.admin_site.admin_view(self.export_view), name="audit_entry_export")
        return [export, *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The selected rows as a CSV file. The export itself is recorded in the trail."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        try:
            selected: ChangeList = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect("admin:audit_entry_changelist")
        entries = selected.get_queryset(request)
        newest = Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self._record_export(request)
        # Without rows that are appended meanwhile, such as this export's own.
        return csv_response(entries.filter(pk__lte=newest))

    def _record_export(self, request: HttpRequest) -> None:
        chosen = {name: value for name, value in request.GET.items() if value}
        if "q" in chosen:
            chosen["q"] = NOT_SHOWN  # may be somebody's name or address, and the row stays
        record(request, "audit.exported", "Exported the audit trail as CSV.", after=chosen)
