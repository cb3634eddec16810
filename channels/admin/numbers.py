from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from aimessage.audit.states import State
from aimessage.backoffice.lists import Question, is_superuser
from channels.admin.base import SuperuserViewAdmin
from channels.models import Sender
from channels.services.sending import resume

#: Columns that jobs change, and that are no part of an act in the admin.
RUNNING = {"turn", "busy_until", "seen_at", "paused_until", "paused_reason"}

RESUME = Question("resume", "Send from {} again?", "will be tried again at once", "not paused")


class SenderForm(forms.ModelForm[Sender]):
    inbox_name = forms.CharField(
        label="Inbox",
        required=False,
        max_length=400,
        help_text="The username of the account that gets what is written to this number, and answers it."
        " Empty: that of AI_MESSAGE_TWILIO_INBOX, else the assistant.",
    )

    class Meta:
        model = Sender
        fields: list[str] = []

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> str:
        return self.instance.inbox.username if self.instance.inbox else ""

    def clean_inbox_name(self) -> User | None:
        name: str = self.cleaned_data["inbox_name"]
        found: User | None = User.objects.active().named(name).first() if name else None
        if name and found is None:
            raise ValidationError("There is no such account, or it is disabled.", code="invalid")
        return found


@admin.register(Sender)
class SenderAdmin(SuperuserViewAdmin):
    form = SenderForm
    when_empty = (
        "A number of yours is here once somebody has written to it. There is neither SMS nor WhatsApp until"
        " AI_MESSAGE_TWILIO_ACCOUNT is set: docs/channels.md says how."
    )
    list_display = ["address", "account_sid", "messaging_service_sid", "inbox", "seen_at", "paused_reason"]
    list_select_related = ["inbox"]
    confirm_display = ["address", "paused_reason"]
    actions = ["resume"]
    readonly_fields = [
        "address",
        "account_sid",
        "messaging_service_sid",
        "seen_at",
        "paused_until",
        "paused_reason",
    ]
    fields = ["address", "inbox_name", *readonly_fields[1:]]

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return is_superuser(request)

    def state_of(self, obj: Model) -> State:
        return {name: value for name, value in super().state_of(obj).items() if name not in RUNNING}

    def save_model(self, request: HttpRequest, obj: Sender, form: forms.Form, change: bool) -> None:
        obj.inbox = form.cleaned_data["inbox_name"]
        obj.save(update_fields=["inbox"])

    @admin.action(description="Try to send again …")
    def resume(self, request: HttpRequest, selected: QuerySet[Sender]) -> HttpResponse | None:
        paused = selected.exclude(paused_reason="")
        if asked := self.confirm(request, RESUME, selected=selected, touched=paused):
            return asked
        self.act_on_each(request, paused, resume, "number.resumed", "set to be tried again")
        return None
