from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import FailedLogin, Session
from accounts.services.sessions import end_sessions
from aimessage.admin import ReadOnlyAdmin, is_superuser
from audit.pages import ServiceAdmin


class LiveFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        live = Session.objects.live().values("pk")
        if self.value() == "live":
            return queryset.filter(pk__in=live)
        return queryset.exclude(pk__in=live) if self.value() == "ended" else queryset


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
    list_select_related = ["user"]
    search_fields = ["user__username", "ip_address", "device_info"]
    search_help_text = "Username, address or device"
    fields = ["user", "device_info", "ip_address", "created_at", "last_used_at", "expires_at", "is_active"]
    actions = ["end"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # the link from a user's page
        return lookup == "user__id__exact" or super().lookup_allowed(lookup, value, request)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    @admin.action(description="End these sessions", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        reason = f"ended by user {request.user.pk}"
        self.act_on_each(
            request,
            queryset.filter(is_active=True),
            lambda session: end_sessions(Session.objects.filter(pk=session.pk), reason=reason),
            "ended",
        )


@admin.register(FailedLogin)
class FailedLoginAdmin(ServiceAdmin, ReadOnlyAdmin):
    """Failed logins of the last weeks; a name and an address with too many are locked out for a while."""

    list_display = ["username", "ip_address", "attempt_time", "user_agent", "path_info"]
    list_filter = ["attempt_time"]
    search_fields = ["username", "ip_address"]
    search_help_text = "Username or address"
    actions = ["forget"]

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    @admin.action(description="Forget, and so lift a lockout", permissions=["forget"])
    def forget(self, request: HttpRequest, queryset: QuerySet[FailedLogin]) -> None:
        self.log_deletions(request, queryset)
        count, _ = queryset.delete()
        messages.success(request, f"{count} failed logins forgotten.")
