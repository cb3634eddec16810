"""Reads the forms that Twilio posts: limits their size and checks their signature."""

import logging
import re
from urllib.parse import parse_qs

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType

from aimessage.api.problems import (
    TOO_LARGE,
    Forbidden,
    Reason,
    TooLarge,
    Unreadable,
)
from channels.signatures import NotGenuine, check_signature
from channels.switch import twilio_or_404

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 300
MAX_BODY_SIZE = 64 * 1024

INVALID_SIGNATURE = Reason("Invalid signature")
TOO_MANY_FIELDS = Reason(f"The form has more than {MAX_FIELDS} fields", "unreadable")

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")

logger = logging.getLogger("twilio_webhook")


def read_genuine(request: HttpRequest) -> dict[str, str]:
    """The fields of a form that Twilio signed: the first value of each name, decoded with surrogateescape.

    Raises UnsupportedMediaType, TooLarge, Unreadable (too many fields) or Forbidden (not signed by Twilio).
    """
    twilio = twilio_or_404()
    fields = _read_form(request)
    meta = request.META
    try:
        check_signature(
            twilio,
            bases=settings.PUBLIC_URLS,
            path=_as_sent(meta.get("PATH_INFO", "")),
            query=_as_sent(meta.get("QUERY_STRING", "")),
            fields=fields,
            signature=meta.get("HTTP_X_TWILIO_SIGNATURE"),
            settings_header=meta.get("HTTP_X_TWILIO_WEBHOOKS_SIGNATURE_SETTINGS"),
        )
    except NotGenuine as error:
        account = next(iter(fields.get("AccountSid", ())), "")
        named = account if _ACCOUNT.fullmatch(account) else "-"
        logger.warning("refused: reason=%s account=%s path=%s", error, named, request.path_info)
        raise Forbidden(INVALID_SIGNATURE) from error
    return {name: values[0] for name, values in fields.items()}


def _read_form(request: HttpRequest) -> dict[str, list[str]]:
    media_type = (request.content_type or "").lower()
    if media_type != FORM:
        raise UnsupportedMediaType(media_type)
    try:
        body = request.body
    except RequestDataTooBig as error:
        raise TooLarge(TOO_LARGE.format(limit=MAX_BODY_SIZE // 1024)) from error
    if len(body) > MAX_BODY_SIZE:
        raise TooLarge(TOO_LARGE.format(limit=MAX_BODY_SIZE // 1024))
    try:
        return parse_qs(
            body.decode("utf-8", "surrogateescape"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="surrogateescape",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise Unreadable(TOO_MANY_FIELDS) from error


def _as_sent(text: str) -> str:
    # WSGI decodes the bytes of the request line as Latin-1.
    return text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
