"""Superusers register and watch webhooks here."""

from datetime import datetime

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aimessage.audit.states import State
from aimessage.backoffice.buttons import Button, ButtonsAdmin, Press
from aimessage.backoffice.lists import Checkboxes, Question, ReadOnlyAdmin, actor_of, is_superuser
from aimessage.backoffice.pages import ServiceAdmin, SuperuserAdmin
from aimessage.webhooks.kinds import TELLERS
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.outbound import NotAllowed, check_url
from aimessage.webhooks.services import (
    BY_HAND,
    disable_endpoint,
    enable_endpoint,
    register_endpoint,
    replay,
    replay_failed,
    rotate_secret,
    send_test,
)
from aimessage.webhooks.signing import shown_secret

#: How many tries a delivery's page shows, the newest first.
TRIES_SHOWN = 50
TRY_COLUMNS = ["at (UTC)", "status", "error", "took", "answer"]
#: Columns that jobs change, and that are no part of an act in the admin.
RUNNING = {"turn", "busy_until", "failing_since", "failures_in_a_row", "paused_until"}

ENABLE = Question("enable", "Enable {}?", "will be sent what happens from now on", "enabled already")
DISABLE = Question(
    "disable", "Disable {}?", "will be sent nothing more; what is pending is cancelled", "disabled already"
)
ROTATE = Question(
    "rotate",
    "Rotate the secret of {}?",
    "will get a new secret; the old one is good for 24 more hours",
    "not the one that was chosen",
)
TEST = Question("test", "Send a test to {}?", "will be sent a webhook.test", "disabled")
REPLAY = Question(
    "replay",
    "Replay {}?",
    "will be sent again, with the same webhook-id",
    "pending, or of a disabled endpoint, or their bodies are not kept any more",
)
REPLAY_FAILED = Question(
    "replay_failed",
    "Replay what failed of {}?",
    "will be sent again what failed or was cancelled since",
    "disabled",
)


class EndpointForm(forms.ModelForm[Endpoint]):
    kinds = forms.MultipleChoiceField(
        choices=lambda: [(kind, kind) for kind in sorted(TELLERS)],
        widget=Checkboxes,
        required=False,
        help_text="All, where none is ticked.",
    )

    class Meta:
        model = Endpoint
        fields = ["url", "description", "kinds", "include_content"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            check_url(url)
        except NotAllowed as error:
            raise ValidationError(f"{error}.", code="invalid") from error
        return url


class SinceForm(forms.Form):
    since = forms.SplitDateTimeField(label="Since (UTC)", widget=AdminSplitDateTime)


@admin.register(Endpoint)
class EndpointAdmin(SuperuserAdmin, ButtonsAdmin):
    form = EndpointForm
    when_empty = "No program is called yet: docs/webhooks.md says what one would get."
    list_display = ["url", "description", "is_enabled", "failing_since", "disabled_reason"]
    list_filter = ["is_enabled"]
    sortable_by = ()
    confirm_display = ["url", "description", "is_enabled"]
    actions = ["enable", "disable", "rotate", "test", "replay_failed"]
    show_facets = admin.ShowFacets.NEVER
    readonly_fields = [
        "is_enabled",
        "disabled_at",
        "disabled_reason",
        "failing_since",
        "paused_until",
        "created_by",
        "created_at",
    ]

    def get_fields(self, request: HttpRequest, obj: object = None) -> tuple[str, ...]:
        return (*EndpointForm.Meta.fields, *(self.readonly_fields if obj else ()))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        # Its deliveries document what left this server, until their retention ends.
        return False

    def state_of(self, obj: Model) -> State:
        return {name: value for name, value in super().state_of(obj).items() if name not in RUNNING}

    def save_model(self, request: HttpRequest, obj: Endpoint, form: forms.Form, change: bool) -> None:
        if change:
            obj.save(update_fields=EndpointForm.Meta.fields)
        else:
            obj.created_by = actor_of(request)
            register_endpoint(obj)

    def response_add(
        self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show_secret(request, obj)

    def _show_secret(self, request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
        # On a page of its own: Django's messages would put the secret into a cookie.
        context = {
            **self.admin_site.each_context(request),
            "title": "The endpoint's secret",
            "opts": self.opts,
            "endpoint": endpoint,
            "secret": shown_secret(endpoint),
        }
        page = TemplateResponse(request, "admin/webhooks/endpoint/secret.html", context)
        add_never_cache_headers(page)
        return page

    # --- Actions ---

    @admin.action(description="Enable …")
    def enable(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> HttpResponse | None:
        disabled = selected.filter(is_enabled=False)
        if asked := self.confirm(request, ENABLE, selected=selected, touched=disabled):
            return asked
        self.act_on_each(request, disabled, enable_endpoint, "endpoint.enabled", "enabled")
        return None

    @admin.action(description="Disable …")
    def disable(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> HttpResponse | None:
        enabled = selected.filter(is_enabled=True)
        if asked := self.confirm(request, DISABLE, selected=selected, touched=enabled):
            return asked

        def act(endpoint: Endpoint) -> None:
            disable_endpoint(endpoint, reason=BY_HAND)

        self.act_on_each(request, enabled, act, "endpoint.disabled", "disabled")
        return None

    @admin.action(description="Rotate the secret …")
    def rotate(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> HttpResponse | None:
        if selected.count() != 1:
            messages.error(request, "Select one endpoint: its new secret is shown once.")
            return None
        if asked := self.confirm(request, ROTATE, selected=selected, touched=selected):
            return asked
        endpoint = selected.get()
        self.watch(request, endpoint)
        rotate_secret(endpoint)
        self.log_act(request, endpoint, "endpoint.rotated", "Rotated the secret.")
        return self._show_secret(request, endpoint)

    @admin.action(description="Send a test …")
    def test(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> HttpResponse | None:
        enabled = selected.filter(is_enabled=True)
        if asked := self.confirm(request, TEST, selected=selected, touched=enabled):
            return asked
        self.act_on_each(request, enabled, send_test, "endpoint.tested", "sent a test")
        return None

    @admin.action(description="Replay what failed …")
    def replay_failed(self, request: HttpRequest, selected: QuerySet[Endpoint]) -> HttpResponse | None:
        form = SinceForm(request.POST if "confirmed" in request.POST else None)
        enabled = selected.filter(is_enabled=True)
        if asked := self.confirm(request, REPLAY_FAILED, selected=selected, touched=enabled, form=form):
            return asked
        since: datetime = form.cleaned_data["since"]

        def replay(endpoint: Endpoint, press: Press) -> str:
            count = replay_failed(endpoint, since=since)
            return f"Replayed {count} that failed since {since:%Y-%m-%d %H:%M}."

        for endpoint in enabled:
            self.watch(request, endpoint)
            self.press(request, endpoint, Button("endpoint.replayed", replay))
        return None


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin, ServiceAdmin):
    # Never the bodies: with content they are private messages.
    list_display = ["webhook_id", "endpoint", "kind", "status", "tries", "created_at", "due_at"]
    list_filter = ["status", "endpoint"]
    list_select_related = ["endpoint"]
    sortable_by = ()
    confirm_display = ["webhook_id", "endpoint", "kind", "status"]
    actions = ["replay"]
    show_facets = admin.ShowFacets.NEVER
    fields = [
        "webhook_id",
        "endpoint",
        "kind",
        "event_id",
        "status",
        "created_at",
        "due_at",
        "settled_at",
        "all_tries",
    ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return is_superuser(request)

    @admin.display(description="tries")
    def all_tries(self, delivery: Delivery) -> SafeString | str:
        rows = [
            (f"{each.at:%F %T}", each.status_code or "", each.error, each.milliseconds, each.answer or "")
            for each in delivery.attempts.order_by("-pk")[:TRIES_SHOWN]
        ]
        if not rows:
            return "-"
        names = format_html_join("", "<th>{}</th>", [(name,) for name in TRY_COLUMNS])
        line = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{} ms</td><td><pre>{}</pre></td></tr>"
        body = format_html_join("", line, rows)
        return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", names, body)

    @admin.action(description="Replay …")
    def replay(self, request: HttpRequest, selected: QuerySet[Delivery]) -> HttpResponse | None:
        settled = selected.exclude(status=Delivery.Status.PENDING)
        settled = settled.filter(body__isnull=False, endpoint__is_enabled=True)
        if asked := self.confirm(request, REPLAY, selected=selected, touched=settled):
            return asked
        self.act_on_each(request, settled, replay, "delivery.replayed", "set to be sent again")
        return None
