from functools import partial
from typing import TypeVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.filters import FailedSinceFilter, LiveFilter
from accounts.events import EndReason
from accounts.guesses import forget_failures
from accounts.models import FailedLogin, Session, User
from accounts.services.sessions import end_sessions
from aimessage.backoffice.lists import Question, ReadOnlyAdmin, actor_of, is_superuser
from aimessage.backoffice.pages import ServiceAdmin
from aimessage.server.clients import read_address

END = Question("end", "End {}?", "These devices are logged out:", "ended already")

RowT = TypeVar("RowT", Session, FailedLogin)


def _search(rows: QuerySet[RowT], text: str) -> QuerySet[RowT]:
    if not text.strip():
        return rows
    if address := read_address(text):
        return rows.filter(ip_address=address)
    return rows.filter(user__in=User.objects.ids_named(text.strip()))


@admin.register(Session)
class SessionAdmin(ServiceAdmin, ReadOnlyAdmin):
    list_display = [
        "user",
        "device_info",
        "ip_address",
        "created_at",
        "last_used_at",
        "expires_at",
        "is_active",
    ]
    list_filter = [LiveFilter]
    linked_lookups = ["user__id__exact"]
    list_select_related = ["user"]
    ordering = ["-pk"]
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["user__username"]  # only shows the box; see _search
    search_help_text = "What a username begins with, or an address"
    fields = ["user", "device_info", "ip_address", "created_at", "last_used_at", "expires_at", "is_active"]
    actions = ["end"]
    confirm_display = ["user", "device_info", "ip_address", "last_used_at"]
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Session], search_term: str
    ) -> tuple[QuerySet[Session], bool]:
        return _search(queryset, search_term), False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    @admin.action(description="End these sessions", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> HttpResponse | None:
        live = queryset.filter(is_active=True)
        if page := self.confirm(request, END, selected=queryset, touched=live):
            return page
        note = f"ended by user {actor_of(request).pk}"
        self.act_on_each(request, live, partial(_end, note=note), "session.ended", "ended")
        return None


def _end(session: Session, *, note: str) -> None:
    end_sessions(Session.objects.filter(pk=session.pk), reason=EndReason.ADMIN, note=note)


@admin.register(FailedLogin)
class FailedLoginAdmin(ServiceAdmin, ReadOnlyAdmin):
    list_display = ["username", "ip_address", "attempt_time", "user_agent", "path_info"]
    list_filter = [FailedSinceFilter]
    list_select_related = ["user"]
    fields = ["username", "ip_address", "client", "attempt_time", "user_agent", "path_info", "locked_out"]
    linked_lookups = ["attempt_time__gte", "locked_out__exact", "user__id__exact"]
    # By primary key, which follows the time.
    ordering = ["-pk"]
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["user__username"]  # only shows the box; see _search
    search_help_text = "What a username begins with, or an address"
    actions = ["forget"]
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[FailedLogin], search_term: str
    ) -> tuple[QuerySet[FailedLogin], bool]:
        return _search(queryset, search_term), False

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    @admin.action(description="Forget, and so lift a lockout", permissions=["forget"])
    def forget(self, request: HttpRequest, queryset: QuerySet[FailedLogin]) -> HttpResponse | None:
        if refusal := self.refuse_many(request, queryset):
            return refusal
        forgotten = forget_failures(queryset, by=actor_of(request).pk)
        self.log_deletions(request, forgotten)
        messages.success(request, f"{self.counted(len(forgotten))} forgotten.")
        return None
