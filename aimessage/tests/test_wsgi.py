"""What the WSGI application does before Django sees a request."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.core.signals import request_started
from django.db import close_old_connections
from django.test import RequestFactory
from django.urls import clear_script_prefix
from pytest_django import Settings

from accounts.models import User
from accounts.services.sessions import open_session
from aimessage.wsgi import application, with_prefix
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

DAVE = {"username": "dave", "email": "dave@example.org", "password": "violet-tractor-42"}


@pytest.fixture(autouse=True)
def no_prefix_left() -> Iterator[None]:
    """The thread keeps the prefix of its last request, and with it what `reverse()` says elsewhere."""
    yield
    clear_script_prefix()


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


def test_a_chunked_body_that_breaks_off_is_refused(rf: RequestFactory) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("no more data")

    status, body = call({**chunked(rf, b""), "wsgi.input": Broken()})

    assert (status, body["detail"]) == (400, "The request body broke off")


@pytest.mark.parametrize(
    "charset",
    ["base64", "hex", "undefined", "zlib", "utf-16", "idna", '"base64"', " base64 ; x=y"],
)
@pytest.mark.parametrize("parameter", ["charset=", "CHARSET =", "charset*=utf-8''"])
def test_no_charset_that_is_claimed_does_harm(rf: RequestFactory, parameter: str, charset: str) -> None:
    environ = rf.get("/health?x=%41&y=z").environ
    environ["CONTENT_TYPE"] = f"application/json; {parameter}{charset}"

    assert call(environ) == (200, {"status": "healthy"})


@pytest.fixture
def seen() -> dict[str, str]:
    """The SCRIPT_NAME that the application behind `with_prefix` was called with."""
    return {}


@pytest.mark.parametrize(
    ("proxies", "given", "prefix"),
    [
        (1, "/api", "/api"),
        (1, "/api/", "/api"),
        (1, "/team-1/api.v2", "/team-1/api.v2"),
        (0, "/api", ""),
        (1, "", ""),
        (1, "/", ""),
        (1, "api", ""),
        (1, "//evil.example", ""),
        (1, "/a//b", ""),
        (1, "/a b", ""),
        (1, "/a\nb", ""),
        (1, "https://evil.example/", ""),
        (1, "/api?x=", ""),
    ],
)
def test_the_prefix_of_a_trusted_proxy_is_believed(
    rf: RequestFactory, settings: Settings, seen: dict[str, str], proxies: int, given: str, prefix: str
) -> None:
    settings.TRUSTED_PROXIES = proxies

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen["SCRIPT_NAME"] = environ["SCRIPT_NAME"]
        return []

    list(with_prefix(app)(rf.get("/health", HTTP_X_FORWARDED_PREFIX=given).environ, lambda *args: None))

    assert seen == {"SCRIPT_NAME": prefix}


def test_links_carry_the_prefix(rf: RequestFactory, settings: Settings, alice: User, bob: User) -> None:
    settings.TRUSTED_PROXIES = 1
    MessageFactory.create_batch(2, sender=alice, recipient=bob)
    tokens = open_session(alice)[1]
    environ = rf.get("/messages?limit=1").environ
    environ |= {"HTTP_X_FORWARDED_PREFIX": "/api", "HTTP_AUTHORIZATION": f"Bearer {tokens.access_token}"}

    headers: dict[str, str] = {}
    body = application(environ, lambda status, given, *rest: headers.update(given))

    assert len(json.loads(b"".join(body))) == 1
    assert headers["Link"].startswith("<http://testserver/api/messages?limit=1&before=")


def test_the_description_names_the_prefix_as_its_server(rf: RequestFactory, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1

    _, prefixed = call({**rf.get("/openapi.json").environ, "HTTP_X_FORWARDED_PREFIX": "/api"})
    _, plain = call(rf.get("/openapi.json").environ)

    assert prefixed["servers"] == [{"url": "/api"}]
    assert [server["url"] for server in plain["servers"]] == ["/"]
