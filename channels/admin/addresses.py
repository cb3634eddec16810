from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest

from channels.admin.base import SuperuserViewAdmin
from channels.models import Address, Channel, Thread

#: Conversations that an address's page shows, the newest.
THREADS_SHOWN = 20


class OptedOutFilter(admin.SimpleListFilter):
    title = "opted out"
    parameter_name = "opted_out"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(opted_out_at__isnull=self.value() == "no")


@admin.register(Address)
class AddressAdmin(SuperuserViewAdmin):
    list_display = ["value", "channel", "user", "proof", "linked_at", "opted_out_at"]
    list_filter = ["proof", OptedOutFilter]
    list_select_related = ["user"]
    linked_lookups = ["user__id__exact"]
    search_fields = ["=value"]
    search_help_text = "The whole address, as +14155550100 or whatsapp:+14155550100."
    ordering = ["-pk"]
    fields = ["value", "channel", "user", "proof", "linked_at", "opted_out_at", "other_addresses", "threads"]

    @admin.display(description="channel")
    def channel(self, address: Address) -> str:
        return Channel(address.channel).label

    @admin.display(description="other addresses of the same person")
    def other_addresses(self, address: Address) -> str:
        return ", ".join(address.aliases.values_list("value", flat=True)) or "-"

    @admin.display(description="conversations")
    def threads(self, address: Address) -> str:
        threads = address.threads.select_related("sender", "inbox").annotate(count=Count("deliveries"))
        newest = threads.order_by("-pk")[:THREADS_SHOWN]
        return "; ".join(_describe(thread, thread.count) for thread in newest) or "-"


def _describe(thread: Thread, parts: int) -> str:
    inbox = f" for {thread.inbox.username}" if thread.inbox else ""
    return (
        f"with {thread.sender.address}{inbox}, last written from on"
        f" {thread.last_inbound_at:%Y-%m-%d %H:%M} UTC, {parts} parts for there"
    )
