from functools import partial

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html

from accounts.models import Invitation, Role
from accounts.services.invitations import make_invitation, withdraw_invitation
from aimessage.audit.states import State
from aimessage.backoffice.lists import IdChoiceField, Question, actor_of, is_superuser
from aimessage.backoffice.pages import SuperuserAdmin

MAX_DAYS = 3650
WITHDRAW = Question(
    "withdraw", "Withdraw {}?", "Nobody can register with these any more:", "used up, expired or withdrawn"
)


class InvitationForm(forms.ModelForm):
    days = forms.IntegerField(
        min_value=1, max_value=MAX_DAYS, initial=14, help_text="For how long it can be used."
    )

    class Meta:
        model = Invitation
        fields = ["email", "max_uses", "role", "note"]

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        if cleaned.get("email") and cleaned.get("max_uses", 1) != 1:
            raise ValidationError({"max_uses": "An invitation for an address works once."})
        return cleaned


@admin.register(Invitation)
class InvitationAdmin(SuperuserAdmin):
    form = InvitationForm
    list_display = ["__str__", "whom", "role", "used", "standing", "expires_at", "created_by", "note"]
    list_select_related = ["role", "created_by"]
    ordering = ["-pk"]
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    actions = ["withdraw"]
    confirm_display = ["__str__", "whom", "used", "note"]

    def has_view_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return is_superuser(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def get_fields(self, request: HttpRequest, obj: Invitation | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("email", "max_uses", "days", "role", "note")
        return (
            *("whom", "role", "used", "standing", "note"),
            *("created_by", "created_at", "expires_at", "withdrawn_at"),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Invitation | None = None) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: object
    ) -> forms.ModelChoiceField | None:
        if db_field.name == "role":
            kwargs |= {"queryset": Role.objects.order_by("name"), "form_class": IdChoiceField}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def state_of(self, obj: Invitation) -> State:
        # The audit trail outlives the account, and must not keep a deleted account's address.
        state = super().state_of(obj)
        return {**state, "email": "(not shown)" if state["email"] else None}

    @admin.display(description="for")
    def whom(self, invitation: Invitation) -> str:
        return invitation.email or "anybody"

    @admin.display(description="used")
    def used(self, invitation: Invitation) -> str:
        return f"{invitation.uses} of {invitation.max_uses}"

    @admin.display(description="state")
    def standing(self, invitation: Invitation) -> str:
        if invitation.withdrawn_at:
            return "Withdrawn"
        if invitation.uses >= invitation.max_uses:
            return "Used up"
        return "Expired" if invitation.expires_at <= timezone.now() else "Open"

    def save_model(self, request: HttpRequest, obj: Invitation, form: forms.ModelForm, change: bool) -> None:
        code = make_invitation(obj, actor=actor_of(request), days=form.cleaned_data["days"])
        text = "The code of {}, which is not shown again: <code>{}</code>"
        messages.success(request, format_html(text, str(obj), code))

    @admin.action(description="Withdraw", permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> HttpResponse | None:
        live = Invitation.objects.live().filter(pk__in=queryset.values("pk"))
        if page := self.confirm(request, WITHDRAW, selected=queryset, touched=live):
            return page
        withdraw = partial(withdraw_invitation, actor=actor_of(request))
        self.act_on_each(request, live, withdraw, "invitation.withdrawn", "withdrawn")
        return None
