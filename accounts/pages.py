"""The pages behind the links in mails. They work without scripts, and a GET uses no link up."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from accounts.serializers.recovery import ResetSerializer, UndoSerializer, VerifySerializer
from accounts.services.leaving import cancel_with_token
from accounts.services.mail_secrets import LinkInvalid
from accounts.services.recovery import reset_password, verify_address
from aimessage.api.problems import NON_FIELD, DomainError, Unauthenticated, flatten_errors
from aimessage.api.throttles import client_ident, seconds_to_wait

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    # The URL contains the token.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
FIELDS = ["token", "email", "code", "new_password"]
TOO_MANY = "Too many tries. Wait a minute, then try again."


def _page(
    template: str, serializer_class: type[Serializer[None]], act: Callable[..., None]
) -> Callable[[HttpRequest], HttpResponse]:
    # No CSRF check: the mailed token authorises the request, not a cookie that another site could use.
    @csrf_exempt
    @require_http_methods(["GET", "HEAD", "POST"])
    def show(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return _render(request, template, token=request.GET.get("token", ""))
        sent = {name: request.POST[name] for name in FIELDS if name in request.POST}
        token = sent.get("token", "")
        if seconds_to_wait("confirm", client_ident(request)) is not None:
            return _render(request, template, 429, token=token, errors=[TOO_MANY])
        try:
            serializer = serializer_class(data=sent)
            serializer.is_valid(raise_exception=True)
            act(**serializer.validated_data)
        except ValidationError as error:
            return _render(request, template, 400, token=token, errors=_sentences(error))
        except DomainError as error:
            return _render(request, template, error.status, token=token, errors=[error.detail])
        return _render(request, template, done=True)

    return show


def _sentences(error: ValidationError) -> list[str]:
    return [
        message if field in {NON_FIELD, "new_password"} else f"{field}: {message}"
        for field, messages in flatten_errors(error.detail).items()
        for message in messages
    ]


def _render(
    request: HttpRequest, template: str, status: int = HTTPStatus.OK, **context: object
) -> HttpResponse:
    context["product"] = settings.NAME
    response = render(request, f"account/{template}.html", context, status=int(status))
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response


def _undo_deletion(token: str) -> None:
    try:
        cancel_with_token(token)
    except Unauthenticated as error:
        raise LinkInvalid from error


reset = _page("reset", ResetSerializer, reset_password)
verify = _page("verify", VerifySerializer, verify_address)
undelete = _page("undelete", UndoSerializer, _undo_deletion)
