"""The page on which superusers set up the assistant."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Role
from aimessage.audit.states import State
from aimessage.backoffice.lists import Checkboxes, IdChoicesField, Question, is_superuser
from aimessage.backoffice.pages import SuperuserAdmin
from assistant.models import Profile
from assistant.services import allowance
from assistant.services.switching import switch_off, switch_on
from assistant.tools import TOOLS
from assistant.turns import estimate_tokens

#: Columns that change with every call to the provider; the audit trail leaves them out.
CALL_STATE = {"failures_in_a_row", "paused_until", "trouble", "trouble_at"}
#: By status code, why the provider refuses us.
TROUBLES = {
    "401": "it does not take the key (AI_MESSAGE_ASSISTANT_KEY)",
    "403": "the key may not use the model (AI_MESSAGE_ASSISTANT_MODEL)",
    "404": "it has no such model or address (AI_MESSAGE_ASSISTANT_MODEL, AI_MESSAGE_ASSISTANT_URL)",
}

SWITCH_OFF = Question(
    "switch_off",
    "Switch {} off?",
    "takes no more questions; what waits for an answer gets none",
    "off already",
)
SWITCH_ON = Question("switch_on", "Switch {} on?", "can be written to, and answers", "on already")


class ProfileForm(forms.ModelForm[Profile]):
    tools = forms.MultipleChoiceField(
        choices=lambda: [(tool.name, f"{tool.name}: {tool.description}") for tool in TOOLS.values()],
        widget=Checkboxes,
        required=False,
        help_text="What it can do. A tool that a later release brings along is switched on.",
    )

    tool_roles = forms.MultipleChoiceField(
        label="Tools for roles alone",
        choices=lambda: [(f"{tool}:{pk}", f"{tool}: {name}") for tool in TOOLS for pk, name in _roles()],
        widget=Checkboxes,
        required=False,
        help_text="A tool without any tick is for everybody.",
    )

    class Meta:
        model = Profile
        fields = ["prompt", "disclosure", "roles", "tool_roles"]
        field_classes = {"roles": IdChoicesField}
        widgets = {
            "prompt": forms.Textarea(attrs={"rows": 12, "cols": 100}),
            "disclosure": forms.Textarea(attrs={"rows": 3, "cols": 100}),
            "roles": Checkboxes,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        off = self.instance.tools_off
        self.initial["tools"] = [name for name in TOOLS if name not in off]
        roles = self.instance.tool_roles
        self.initial["tool_roles"] = [f"{tool}:{pk}" for tool in roles for pk in roles[tool]]

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        most = settings.ASSISTANT.context_tokens // 2
        if estimate_tokens(prompt) > most:
            sentence = f"It would leave no room for the conversation: write at most about {3 * most} letters."
            raise ValidationError(sentence, code="too_long")
        return prompt

    def clean(self) -> dict[str, object]:
        super().clean()
        cleaned = self.cleaned_data
        chosen = cleaned.get("tools", [])
        self.instance.tools_off = sorted(name for name in TOOLS if name not in chosen)
        roles: dict[str, list[int]] = {}
        for pair in cleaned.get("tool_roles", []):
            tool, pk = pair.split(":")
            roles.setdefault(tool, []).append(int(pk))
        cleaned["tool_roles"] = roles
        return cleaned


def _roles() -> list[tuple[int, str]]:
    return list(Role.objects.order_by("name").values_list("pk", "name"))


@admin.register(Profile)
class ProfileAdmin(SuperuserAdmin):
    form = ProfileForm
    when_empty = (
        "There is no assistant until AI_MESSAGE_ASSISTANT_MODEL, and its address or key, are set:"
        " docs/assistant.md says how."
    )
    list_display = ["name", "account", "is_active", "provider", "health"]
    list_select_related = ["user"]
    sortable_by = ()
    confirm_display = ["name", "is_active"]
    actions = ["switch_off", "switch_on"]
    show_facets = admin.ShowFacets.NEVER
    readonly_fields = ["account", "is_active", "provider", "health", "used_today", "updated_at"]
    fieldsets = [
        (None, {"fields": ["account", "is_active", "provider", "health", "used_today"]}),
        ("What it says", {"fields": ["prompt", "disclosure"]}),
        ("What it can do, and for whom", {"fields": ["roles", "tools", "tool_roles"]}),
    ]
    audit_texts = ["prompt", "disclosure"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Profile | None = None) -> bool:
        return is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        # The server creates it once a provider is configured.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Profile | None = None) -> bool:
        return False

    def state_of(self, obj: Model) -> State:
        return {name: value for name, value in super().state_of(obj).items() if name not in CALL_STATE}

    def save_model(self, request: HttpRequest, obj: Profile, form: forms.Form, change: bool) -> None:
        obj.save(update_fields=["prompt", "disclosure", "tools_off", "tool_roles", "updated_at"])

    @admin.display(description="account")
    def account(self, profile: Profile) -> str:
        return profile.user.username

    @admin.display(description="provider")
    def provider(self, profile: Profile) -> str:
        asked = settings.ASSISTANT
        return f"{asked.model} at {asked.url}" if asked.on else "none: AI_MESSAGE_ASSISTANT_MODEL is not set"

    @admin.display(description="how the provider fares")
    def health(self, profile: Profile) -> SafeString | str:
        if profile.trouble:
            return format_html('<span class="badge disabled">{}</span>', trouble_sentence(profile))
        if profile.failures_in_a_row:
            return f"{profile.failures_in_a_row} calls in a row failed"
        return "well, as far as is known"

    @admin.display(description="used today, by all")
    def used_today(self, profile: Profile) -> str:
        most = settings.ASSISTANT.tokens_per_day_total
        return f"{allowance.used_by(None):,} tokens{f' of {most:,}' if most else ''}"

    @admin.action(description="Switch off …")
    def switch_off(self, request: HttpRequest, selected: QuerySet[Profile]) -> HttpResponse | None:
        on = selected.filter(is_active=True)
        if asked := self.confirm(request, SWITCH_OFF, selected=selected, touched=on):
            return asked
        self.act_on_each(request, on, switch_off, "profile.switched_off", "switched off")
        return None

    @admin.action(description="Switch on …")
    def switch_on(self, request: HttpRequest, selected: QuerySet[Profile]) -> HttpResponse | None:
        off = selected.filter(is_active=False)
        if asked := self.confirm(request, SWITCH_ON, selected=selected, touched=off):
            return asked
        self.act_on_each(request, off, switch_on, "profile.switched_on", "switched on")
        return None


def trouble_sentence(profile: Profile) -> str:
    why = TROUBLES.get(profile.trouble, "it says no more")
    return f"The provider refuses to answer ({profile.trouble}): {why}"
