"""The WSGI application that gunicorn serves."""

import io
import os
import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")

_CHARSET = re.compile(r";\s*charset\*?\s*=[^;]*", re.IGNORECASE)
#: Without empty segments: `//host/path` would link to another host.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def with_chunked_bodies(app: WSGIApplication) -> WSGIApplication:
    """Sets CONTENT_LENGTH for a chunked request body: without it Django reads an empty body.

    Reads one byte beyond the limit, so that RequestLimitsMiddleware refuses what is longer.
    """
    from django.conf import settings

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            try:
                body = environ["wsgi.input"].read(settings.MAX_BODY_SIZE + 1)
                length = len(body)
            except OSError:  # the body broke off; with a length and no body, the application answers
                body, length = b"", 1
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(length)
        return app(environ, start_response)

    return wrapped


def without_charset(app: WSGIApplication) -> WSGIApplication:
    """Removes the charset from Content-Type: JSON (RFC 8259) and URLs are always UTF-8.

    Django decodes the query string with it before our code runs, and `charset=base64`, a Python codec that is
    not for text, would end in a bare 500.
    """

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["CONTENT_TYPE"] = _CHARSET.sub("", environ.get("CONTENT_TYPE", ""))
        return app(environ, start_response)

    return wrapped


def with_prefix(app: WSGIApplication) -> WSGIApplication:
    """Restores a path prefix such as `/api` that a proxy removed, for the links in answers.

    X-Forwarded-Prefix only counts behind a proxy (AI_MESSAGE_TRUSTED_PROXIES).
    """
    from django.conf import settings

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        prefix = environ.get("HTTP_X_FORWARDED_PREFIX", "").rstrip("/")
        if settings.TRUSTED_PROXIES and _PREFIX.fullmatch(prefix):
            environ["SCRIPT_NAME"] = prefix
        return app(environ, start_response)

    return wrapped


application = with_prefix(without_charset(with_chunked_bodies(get_wsgi_application())))
