"""Lists of replies and usage. They show numbers, and nothing that anybody wrote."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aimessage.backoffice.lists import ReadOnlyAdmin, is_superuser
from aimessage.backoffice.pages import ServiceAdmin
from assistant.models import Reply, Usage
from assistant.tools import TOOLS

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices

#: Shown in place of a name that the model invented, which could hold anything.
UNKNOWN_TOOL = "(unknown tool)"


class RecordAdmin(ReadOnlyAdmin, ServiceAdmin):
    sortable_by = ()
    actions: list[str] = []
    show_facets = admin.ShowFacets.NEVER

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_superuser(request)


@admin.register(Reply)
class ReplyAdmin(RecordAdmin):
    list_display = ["id", "asker", "state", "reason", "model", "tokens", "cost", "created_at", "finished_at"]
    list_filter = ["state"]
    linked_lookups = ["asker__id__exact"]
    list_select_related = ["asker"]
    fieldsets = [
        (None, {"fields": ["asker", "state", "reason", "model"]}),
        ("When", {"fields": ["created_at", "started_at", "finished_at", "attempt", "failures"]}),
        ("What it took", {"fields": ["tokens_in", "tokens_out", "cost"]}),
        ("What it did", {"fields": ["tools", "reports", "tainted"]}),
    ]

    @admin.display(description="tokens")
    def tokens(self, reply: Reply) -> int:
        return reply.tokens_in + reply.tokens_out

    @admin.display(description="tools", empty_value="none")
    def tools(self, reply: Reply) -> str | None:
        return ", ".join(tools_of(reply)) or None

    @admin.display(description="reports filed or changed")
    def reports(self, reply: Reply) -> SafeString | str:
        links = [
            (reverse("admin:reports_report_change", args=[effect.report_id]), effect.report_id)
            for effect in reply.effects.all()
        ]
        return format_html_join(", ", '<a href="{}">Report {}</a>', links) or "-"


class WhoseFilter(admin.EmptyFieldListFilter):
    # Rows without a user are the totals of all users.

    def choices(self, changelist: ChangeList) -> Iterator["_ListFilterChoices"]:
        names = ("All", "Everybody together", "Each user")
        for choice, name in zip(super().choices(changelist), names, strict=True):
            yield {**choice, "display": name}


@admin.register(Usage)
class UsageAdmin(RecordAdmin):
    list_display = ["day", "whom", "requests", "tokens_in", "tokens_out", "reserved", "cost"]
    list_display_links = None
    list_filter = [("user", WhoseFilter)]
    linked_lookups = ["user__id__exact", "user__isempty"]
    list_select_related = ["user"]
    ordering = ["-day", "pk"]

    @admin.display(description="of")
    def whom(self, usage: Usage) -> SafeString | str:
        if usage.user is None:
            return format_html("<strong>{}</strong>", "everybody")
        return usage.user.username


def tools_of(reply: Reply) -> list[str]:
    said = []
    for step in reply.steps.all():
        for call, result in step.calls_with_results():
            name = call["name"] if call["name"] in TOOLS else UNKNOWN_TOOL
            failed = isinstance(result, dict) and "error" in result
            said.append(f"{name} (refused)" if failed else name)
    return said
