"""The WSGI application that gunicorn serves."""

import io
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aimessage.settings")

Environ = dict[str, Any]
_CHARSET = re.compile(r";\s*charset\*?\s*=[^;]*", re.IGNORECASE)
#: No empty segment: `//host/path` would be a link to another host.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")

WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def with_chunked_bodies(app: WSGIApp) -> WSGIApp:
    """Gives a chunked request body a length.

    Django reads CONTENT_LENGTH bytes and takes a request without it for empty. One byte more than
    the limit is enough for RequestLimitsMiddleware to refuse the rest.
    """
    from django.conf import settings

    def wrapped(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            try:
                body = environ["wsgi.input"].read(settings.MAX_BODY_SIZE + 1)
                length = len(body)
            except OSError:  # as gunicorn says that it broke off; here it would end without an answer
                body, length = b"", 1
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(length)
        return app(environ, start_response)

    return wrapped


def without_charset(app: WSGIApp) -> WSGIApp:
    """Hides the charset that a Content-Type claims: JSON (RFC 8259) and URLs are UTF-8 anyway.

    Django would decode the query string by it before any of our code runs, and `charset=base64`,
    which is a codec of Python's but none for text, would end in a bare 500.
    """

    def wrapped(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["CONTENT_TYPE"] = _CHARSET.sub("", environ.get("CONTENT_TYPE", ""))
        return app(environ, start_response)

    return wrapped


def with_prefix(app: WSGIApp) -> WSGIApp:
    """Puts the path prefix that the proxy took off, as `/api`, back into the links that are handed out.

    X-Forwarded-Prefix is believed from a proxy alone, as AI_MESSAGE_TRUSTED_PROXIES says.
    """
    from django.conf import settings

    def wrapped(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        prefix = environ.get("HTTP_X_FORWARDED_PREFIX", "").rstrip("/")
        if settings.TRUSTED_PROXIES and _PREFIX.fullmatch(prefix):
            environ["SCRIPT_NAME"] = prefix
        return app(environ, start_response)

    return wrapped


application = with_prefix(without_charset(with_chunked_bodies(get_wsgi_application())))
