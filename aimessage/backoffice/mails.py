"""The page on which superusers see mails (recipient, kind and state, never the text) and send them again."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from aimessage.audit.states import State
from aimessage.backoffice.lists import Question, ReadOnlyAdmin, is_superuser
from aimessage.backoffice.pages import ServiceAdmin
from aimessage.mail.kinds import known_kinds
from aimessage.mail.models import Mail
from aimessage.mail.services import send_again, sendable

SEND_AGAIN = Question(
    action="send_again",
    ask="Send {} again?",
    will="will be sent as soon as a worker is free",
    left="sent, waiting, dropped or too late, or for somebody unknown",
)


class KindFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(kind, kind.replace("_", " ")) for kind in known_kinds()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Mail]) -> QuerySet[Mail]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin, ServiceAdmin):
    list_display = ["__str__", "user", "state", "created_at", "sent_at", "error"]
    list_filter = ["state", KindFilter]
    list_select_related = ["user"]
    linked_lookups = ["user__id__exact"]
    sortable_by = ()
    confirm_display = ["__str__", "user", "state", "error"]
    actions = ["send_again"]
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    fields = ["kind", "user", "state", "created_at", "written_at", "sent_at", "expires_at", "error"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_superuser(request)

    def state_of(self, obj: Mail) -> State:
        return {"kind": obj.kind, "state": obj.state}

    @admin.action(description="Send again …")
    def send_again(self, request: HttpRequest, selected: QuerySet[Mail]) -> HttpResponse | None:
        mails = sendable(selected)
        if asked := self.confirm(request, SEND_AGAIN, selected=selected, touched=mails):
            return asked
        self.act_on_each(request, mails, send_again, "mail.send_again", "set to be sent again")
        return None
