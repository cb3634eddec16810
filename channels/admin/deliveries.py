from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aimessage.backoffice.lists import Question
from channels.admin.base import SuperuserViewAdmin
from channels.models import Delivery
from channels.services.sending import send_again

SEND_AGAIN = Question(
    "send_again",
    "Send {} again?",
    "will be sent again, unless the address is opted out by now",
    "none that failed",
)


@admin.register(Delivery)
class DeliveryAdmin(SuperuserViewAdmin):
    # Never the texts: they are private messages.
    list_display = ["__str__", "to", "what", "state", "error_code", "error", "tries", "updated_at"]
    list_filter = ["state", "notice"]
    list_select_related = ["thread__sender", "code"]
    linked_lookups = ["error_code__exact"]
    confirm_display = ["__str__", "to", "what", "error"]
    actions = ["send_again"]
    ordering = ["-pk"]
    fields = [
        "to",
        "sender",
        "what",
        "state",
        "error_code",
        "error",
        "sid",
        "tries",
        "due_at",
        "accepted_at",
        "created_at",
        "updated_at",
    ]

    @admin.display(description="to")
    def to(self, delivery: Delivery) -> str:
        if delivery.thread is not None:
            return delivery.thread.reply_to
        return delivery.code.phone_number if delivery.code is not None else "-"

    @admin.display(description="from")
    def sender(self, delivery: Delivery) -> str:
        return delivery.thread.sender.address if delivery.thread is not None else "-"

    @admin.display(description="what")
    def what(self, delivery: Delivery) -> str:
        if delivery.notice:
            return f"notice: {delivery.get_notice_display()}"
        return f"message {delivery.message_id}, part {delivery.part} of {delivery.parts}"

    @admin.action(description="Send again …")
    def send_again(self, request: HttpRequest, selected: QuerySet[Delivery]) -> HttpResponse | None:
        failed = selected.filter(state=Delivery.State.FAILED)
        if asked := self.confirm(request, SEND_AGAIN, selected=selected, touched=failed):
            return asked
        self.act_on_each(request, failed, send_again, "delivery.sent_again", "set to be sent again")
        return None
