"""The page on which admin users set up their own second factor."""

from collections.abc import Callable

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.models import User
from accounts.serializers.proof import CODE_LENGTH
from accounts.services.codes import either_code, has_second_factor, open_secret
from accounts.services.proof import proving_as
from accounts.services.second_factor import (
    begin_totp,
    confirm_totp,
    enrolment_of,
    factor_state,
    pending_totp,
    remove_second_factor,
    renew_recovery_codes,
    require_off,
    require_on,
)
from aimessage.api.problems import Conflict, Forbidden, Invalid, NotFound
from aimessage.audit.acting import record
from aimessage.backoffice.lists import actor_of

PAGE = "admin-second-factor"
REQUIRED = "Two-factor login is required here: set it up first."
#: Button → act and sentence for the audit trail.
SAID = {
    "confirm": ("user.second_factor_added", "Turned two-factor login on."),
    "renew": ("user.recovery_codes_renewed", "Made new recovery codes."),
    "remove": ("user.second_factor_removed", "Turned two-factor login off."),
}


class ProofForm(forms.Form):
    current_password = forms.CharField(
        strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=CODE_LENGTH, widget=forms.TextInput(attrs={"autocomplete": "one-time-code"})
    )


class FullProofForm(ProofForm, CodeForm):
    field_order = ["current_password", "code"]


def require_second_factor(request: HttpRequest) -> HttpResponse | None:
    """AuditedSite.gate: AI_MESSAGE_ADMIN_MFA=required sends users without a second factor to this page."""
    page = reverse(PAGE)
    if settings.ADMIN_MFA != "required" or request.path.rstrip("/") in {
        page.rstrip("/"),
        reverse("admin:logout").rstrip("/"),
    }:
        return None
    if has_second_factor(actor_of(request)):
        return None
    messages.warning(request, REQUIRED)
    return redirect(page)


def second_factor_view(request: HttpRequest) -> HttpResponse:
    # Four forms on one page; the button sends `act`, which names the form.
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "POST"])
    user = actor_of(request)
    context: dict[str, object] = {}
    act = request.POST.get("act", "")
    if request.method == "POST" and act in ACTS:
        form_class, run = ACTS[act]
        form = form_class(request.POST)
        try:
            if form.is_valid():
                context = run(request, user, form.cleaned_data)
                if act in SAID:
                    name, sentence = SAID[act]
                    record(request, name, sentence, target=user)
        except (Invalid, Forbidden) as error:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
        except (NotFound, Conflict) as error:  # done already, in another tab
            messages.error(request, error.detail)
        context |= {"errors_of": act, "form": form} if form.errors else {}
    return _show(request, user, context)


def _show(request: HttpRequest, user: User, context: dict[str, object]) -> HttpResponse:
    pending = None if has_second_factor(user) else pending_totp(user)
    # After a wrong code the secret is shown again, but not on a later visit, which took no password.
    secret = open_secret(pending) if pending and context.get("errors_of") == "confirm" else None
    enrolment = enrolment_of(user, secret) if secret else context.pop("enrolment", None)
    page = {
        **admin.site.each_context(request),
        "title": "Two-factor login",
        "state": factor_state(user),
        "enrolment": enrolment,
        "proof": ProofForm(),
        "full_proof": FullProofForm(),
        "confirm": CodeForm(),
        **context,
    }
    answer = render(request, "admin/second_factor.html", page)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _prove(request: HttpRequest, user: User, sent: dict[str, str]) -> None:
    code = either_code(sent.get("code", ""))
    proof = {"code": None, "recovery_code": None, **code}
    with proving_as(user, request, current_password=sent["current_password"], **proof):
        pass


def _keep_this_admin_session(request: HttpRequest, user: User) -> None:
    user.refresh_from_db(fields=["password", "admin_epoch"])
    update_session_auth_hash(request, user)


def _begin(request: HttpRequest, user: User, sent: dict[str, str]) -> dict[str, object]:
    require_off(user)
    _prove(request, user, sent)
    return {"enrolment": begin_totp(user)}


def _confirm(request: HttpRequest, user: User, sent: dict[str, str]) -> dict[str, object]:
    codes = confirm_totp(user, code=sent["code"], keep=None)
    _keep_this_admin_session(request, user)
    return {"codes": codes}


def _renew(request: HttpRequest, user: User, sent: dict[str, str]) -> dict[str, object]:
    require_on(user)
    _prove(request, user, sent)
    return {"codes": renew_recovery_codes(user)}


def _remove(request: HttpRequest, user: User, sent: dict[str, str]) -> dict[str, object]:
    require_on(user)
    _prove(request, user, sent)
    remove_second_factor(user)
    _keep_this_admin_session(request, user)
    messages.success(request, "Two-factor login is off.")
    return {}


#: Handles one form and returns context for the page.
Act = Callable[[HttpRequest, User, dict[str, str]], dict[str, object]]
ACTS: dict[str, tuple[type[forms.Form], Act]] = {
    "begin": (ProofForm, _begin),
    "confirm": (CodeForm, _confirm),
    "renew": (FullProofForm, _renew),
    "remove": (FullProofForm, _remove),
}
