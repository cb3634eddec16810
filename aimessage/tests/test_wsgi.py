"""What the WSGI application does before Django sees a request."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.core.signals import request_started
from django.db import close_old_connections
from django.test import RequestFactory

from accounts.models import User
from aimessage.wsgi import application

pytestmark = pytest.mark.django_db

DAVE = {"username": "dave", "email": "dave@example.org", "password": "violet-tractor-42"}


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Keeps the start of a request from closing the connection that the test's transaction is on."""
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


def call(environ: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of the application's answer to `environ`."""
    statuses: list[str] = []
    app: Callable[..., Iterable[bytes]] = application
    body = b"".join(app(environ, lambda status, headers, *rest: statuses.append(status)))
    return int(statuses[0].split()[0]), json.loads(body)


def chunked(rf: RequestFactory, body: bytes) -> dict[str, Any]:
    """A request without a length, as gunicorn hands on a chunked one."""
    environ: dict[str, Any] = rf.post("/auth/register").environ
    environ.pop("CONTENT_LENGTH", None)
    content = {"CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(body)}
    return {**environ, **content, "wsgi.input_terminated": True}


def test_a_chunked_body_is_read(rf: RequestFactory) -> None:
    status, body = call(chunked(rf, json.dumps(DAVE).encode()))

    assert (status, body["username"]) == (201, "dave")
    assert User.objects.get().username == "dave"


def test_a_chunked_body_over_the_limit_is_a_413_and_is_not_read_to_its_end(rf: RequestFactory) -> None:
    environ = chunked(rf, b"x" * 1_000_000)
    stream = environ["wsgi.input"]

    status, body = call(environ)

    assert (status, body["detail"]) == (413, "The request body is over 256 KiB")
    assert stream.tell() == 256 * 1024 + 1


@pytest.mark.parametrize(
    "charset",
    ["base64", "hex", "undefined", "zlib", "utf-16", "idna", '"base64"', " base64 ; x=y"],
)
@pytest.mark.parametrize("parameter", ["charset=", "CHARSET =", "charset*=utf-8''"])
def test_no_charset_that_is_claimed_does_harm(rf: RequestFactory, parameter: str, charset: str) -> None:
    environ = rf.get("/health?x=%41&y=z").environ
    environ["CONTENT_TYPE"] = f"application/json; {parameter}{charset}"

    assert call(environ) == (200, {"status": "healthy"})
