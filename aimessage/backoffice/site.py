"""The admin site: it records logins and logouts, and every page records what is done there."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial, wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup, DisallowedModelAdminToField
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from aimessage.api.guesses import QUEUE, LockedOut
from aimessage.api.problems import DomainError, TooManyRequests, Unavailable
from aimessage.api.throttles import client_ident, seconds_to_wait
from aimessage.audit.acting import acting, record
from aimessage.audit.models import Entry
from aimessage.backoffice.lists import actor_of
from aimessage.backoffice.pages import AuditedAdmin

#: The user's own acts on the home page.
RECENT = 10
#: Recorded instead of a name that no account has.
UNKNOWN = "(unknown name)"
#: The sentence in the trail when the password was right, by the form's `refusal`.
REFUSALS = {
    "code_required": "Asked for the code of the second factor: the password is right.",
    "wrong_code": "Refused a login: the password is right, the code of the second factor is not.",
}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}

View = Callable[..., HttpResponseBase]


class OwnPasswordForm(AdminPasswordChangeForm):
    """Changes the user's own password, and knows the request."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request


class AuditedSite(admin.AdminSite):
    #: accounts sets one that counts wrong guesses and ends the API's sessions.
    password_change_form = OwnPasswordForm
    #: Set by accounts: redirects staff who may not work here yet; None for all others.
    gate: Callable[[HttpRequest], HttpResponse | None] | None = None

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type[ModelAdmin] | None = None,
        **options: object,
    ) -> None:
        """Makes pages of other libraries audited."""
        page: Any = admin_class or ModelAdmin
        if not issubclass(page, AuditedAdmin):
            page = type(page.__name__, (AuditedAdmin, page), {"__module__": page.__module__})
        super().register(model_or_iterable, page, **options)

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        """Wraps each POST in a transaction with its rows in the trail."""

        @wraps(view)
        def audited(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if self.gate is not None and (elsewhere := self.gate(request)):
                return elsewhere
            safe = request.method in SAFE_METHODS
            # Wait for a turn before the transaction begins, since on SQLite that blocks all writers.
            hashes = not safe and any("password" in name for name in request.POST)
            try:
                with QUEUE.turn() if hashes else nullcontext(), nullcontext() if safe else acting():
                    return view(request, *args, **kwargs)
            except (TooManyRequests, Unavailable) as error:
                return _refuse(request, error, actor_of(request))
            except FieldDoesNotExist as error:  # such as an empty `_to_field`
                raise DisallowedModelAdminToField(str(error)) from error

        return super().admin_view(audited, cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        if request.method != "POST":
            return super().login(request, extra_context)
        # Without a transaction: checking a password is slow, and SQLite has one writer.
        try:
            _throttle(request)
            answer = super().login(request, extra_context)
        except (TooManyRequests, Unavailable) as error:
            return _refuse(request, error, _account(request.POST.get("username", "")))
        self._record_login(request, answer)
        return answer

    def _record_login(self, request: HttpRequest, answer: HttpResponse) -> None:
        if answer.status_code == 302:
            # Before the session is stored: if this fails, nobody is logged in.
            record(request, "admin.login", "Logged in.")
            return
        form = getattr(answer, "context_data", {})["form"]
        account = _account(form.cleaned_data.get("username", ""))
        if getattr(form, "refusal", ""):
            sentence = REFUSALS[form.refusal]
        elif form.get_user() is not None:
            sentence = "Refused a login: the password is right, but opens no admin."
        else:
            sentence = "Refused a login: wrong username or password."
        name = account.get_username() if account else UNKNOWN
        record(request, "admin.login_failed", sentence, target=account, actor_name=name)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """Completes only fields that some page offers; Django completes every relation."""
        asked = [request.GET.get(name) for name in ("app_label", "model_name", "field_name")]
        offered = (
            [model._meta.app_label, model._meta.model_name, field]
            for model, page in self._registry.items()
            for field in page.get_autocomplete_fields(request)
        )
        if asked not in offered:
            raise DisallowedModelAdminLookup("This field is not completed")
        answer: HttpResponse = super().autocomplete_view(request)
        return answer

    def logout(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> Any:
        user = actor_of(request)
        answer = super().logout(request, extra_context)
        if request.method == "POST":
            record(request, "admin.logout", "Logged out.", actor=user)
        return answer

    def password_change(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> Any:
        user = actor_of(request)
        if request.method == "POST":
            _throttle(request)
        page = self._registry.get(get_user_model())
        if isinstance(page, AuditedAdmin):
            page.watch(request, user)
        request.current_app = self.name
        answer = PasswordChangeView.as_view(
            form_class=partial(self.password_change_form, request=request),
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )(request)
        if answer.status_code == 302 and isinstance(page, AuditedAdmin):
            page.log_act(request, user, "password.set", "Changed the own password.")
        return answer

    def get_log_entries(self, request: HttpRequest) -> QuerySet[Any]:
        # For the home page. Rows without a target are logins and logouts.
        return Entry.objects.done_by(request.user.pk).exclude(target_kind="")[:RECENT]


def _throttle(request: HttpRequest) -> None:
    """Raises TooManyRequests beyond AI_MESSAGE_THROTTLE_LOGIN."""
    wait = seconds_to_wait("login", client_ident(request))
    if wait is not None:
        raise TooManyRequests("Too many logins from this address, try again later", retry_after=wait)


def _refuse(request: HttpRequest, error: DomainError, account: AbstractBaseUser | None) -> HttpResponse:
    if isinstance(error, LockedOut):
        _record_lockout(request, error, account)
    seconds = int(error.headers["Retry-After"])
    context = {"error": error, "seconds": seconds, "minutes": -(-seconds // 60)}
    page = render(request, "admin/try_later.html", context, status=error.status)
    for name, value in error.headers.items():
        page.headers[name] = value
    return page


def _record_lockout(request: HttpRequest, error: LockedOut, account: AbstractBaseUser | None) -> None:
    with acting():
        # Only the first refusal of a lockout is recorded.
        if error.claim():
            name = account.get_username() if account else UNKNOWN
            sentence = "Refused a login: too many have failed."
            record(request, "admin.login_locked", sentence, target=account, actor_name=name)


def _account(name: str) -> AbstractBaseUser | None:
    # Only an existing name is recorded: any other may be a password, typed into the wrong field.
    users = get_user_model()._default_manager
    try:
        return users.get_by_natural_key(name)
    except users.model.DoesNotExist:
        return None
