"""Buttons on an object's page in the admin. Each calls a service and is recorded in the audit trail."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from aimessage.api.problems import DomainError
from aimessage.audit.acting import acting
from aimessage.backoffice.lists import actor_of
from aimessage.backoffice.pages import ServiceAdmin

#: Characters of a text that a refusal repeats.
TYPED_SHOWN = 1000


class TextForm(forms.Form):
    """A form with one text, which is sent with a button."""

    @property
    def text(self) -> str | None:
        raise NotImplementedError

    @property
    def complaint(self) -> str:
        return str(next(iter(self.errors.values()))[0])


class Press(NamedTuple):
    """What a button's function gets in addition to the object."""

    #: A user.
    actor: Any
    sent: QueryDict
    #: From the button's form; None without a form or without a text.
    text: str | None = None


class Upon(NamedTuple):
    """Another object that a button changes; its history gets an entry, too."""

    find: Callable[[Any], Model | None]
    act: str
    done: Callable[[Any], str]


class Button(NamedTuple):
    #: In the audit trail.
    act: str
    #: Returns a sentence that says what was done. A DomainError rolls everything back.
    run: Callable[[Any, Press], str]
    upon: Upon | None = None
    form: type[TextForm] | None = None


class ButtonsAdmin(ServiceAdmin):
    #: By the last part of the URL.
    buttons: dict[str, Button] = {}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.button_view)
        page = f"{self.opts.app_label}_{self.opts.model_name}"
        buttons = [
            path(f"<int:object_id>/{name}/", view, {"name": name}, f"{page}_{name}") for name in self.buttons
        ]
        return [*buttons, *super().get_urls()]

    def button_view(self, request: HttpRequest, object_id: int, name: str) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        obj = self.get_object(request, str(object_id))
        if obj is None:
            raise Http404
        return self.after_button(request, obj, done=self._push(request, obj, self.buttons[name]))

    def after_button(self, request: HttpRequest, obj: Any, *, done: bool) -> HttpResponse:
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
        kept = request.GET.urlencode()
        return redirect(f"{page}?{kept}" if kept else page)

    def _push(self, request: HttpRequest, obj: Model, button: Button) -> bool:
        form = button.form(request.POST) if button.form else None
        if form is not None and not form.is_valid():
            messages.error(request, form.complaint)
            return False
        return self.press(request, obj, button, text=form.text if form else None)

    def press(self, request: HttpRequest, obj: Model, button: Button, *, text: str | None = None) -> bool:
        """Runs `button`, shows the outcome, and returns whether it succeeded. Call `watch(obj)` before."""
        press, upon = Press(actor_of(request), request.POST, text), button.upon
        try:
            with acting():
                other = upon.find(obj) if upon else None
                if other:
                    self.watch(request, other)
                done = button.run(obj, press)
                self.log_act(request, obj, button.act, done)
                if upon and other:
                    self.log_act(request, other, upon.act, upon.done(obj))
        except DomainError as error:
            typed = f" You had typed: \u201c{text[:TYPED_SHOWN]}\u201d" if text else ""
            messages.error(request, f"{obj}: {error.detail}.{typed}")
            return False
        # Names the object, since the next page may show another one.
        messages.success(request, f"{obj}: {done}")
        return True
