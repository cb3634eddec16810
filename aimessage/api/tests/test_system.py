"""`/`, `/health` and `/db-test`."""

import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from drf_spectacular.renderers import OpenApiJsonRenderer2
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from aimessage import settings as production
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient


def test_the_root_says_hello_and_where_the_docs_are(client: APIClient) -> None:
    answer = client.get("/")

    assert (answer.status_code, answer.json()) == (200, {"message": "Hello World", "docs": "/docs"})


def test_health_touches_no_database(client: APIClient) -> None:
    """It does not ask for one, and pytest-django refuses whoever touches it nevertheless."""
    answer = client.get("/health", HTTP_AUTHORIZATION="Bearer dead", HTTP_COOKIE="sessionid=x")

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


@pytest.mark.parametrize("path", ["/health", "/"])
def test_a_logged_in_caller_costs_health_no_query_either(as_user: ApiClient, alice: User, path: str) -> None:
    client = as_user(alice)

    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200

    assert not queries.captured_queries


@pytest.mark.django_db
def test_the_database_answers(client: APIClient) -> None:
    answer = client.get("/db-test")

    assert (answer.status_code, answer.json()) == (200, {"status": "database connection working"})


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server


def point_to(port: int, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Lets every new connection go to a PostgreSQL on `port`."""
    config = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "NAME": "aimessage",
        "OPTIONS": options,
    }
    monkeypatch.setitem(connections.settings, "default", config)


@pytest.mark.django_db
@pytest.mark.parametrize("options", [{"connect_timeout": 2}, {}], ids=["as configured", "no timeout"])
def test_a_database_that_says_nothing_is_a_503_after_two_seconds(
    client: APIClient,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    options: dict[str, int],
) -> None:
    settings.DATABASE_PATIENCE = production.DATABASE_PATIENCE
    point_to(listener.getsockname()[1], monkeypatch, **options)
    begin = time.monotonic()

    answer = client.get("/db-test")

    assert time.monotonic() - begin < 3
    assert_problem(answer, 503, "The database does not answer")
    listener.close()  # ends the wait of the thread behind


@pytest.mark.django_db
def test_a_database_that_is_not_there_is_a_503_at_once(
    client: APIClient, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listener.getsockname()[1]
    listener.close()
    point_to(port, monkeypatch)
    begin = time.monotonic()

    answer = client.get("/db-test")

    assert time.monotonic() - begin < 1.9
    assert_problem(answer, 503, "The database does not answer")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_load_nothing_from_another_host(client: APIClient, path: str) -> None:
    answer = client.get(path, HTTP_ACCEPT="text/html")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', answer.content.decode())
    assert loaded
    assert all(url.startswith("/static/") for url in loaded)
    assert "/openapi.json" in answer.content.decode()


def test_the_api_describes_itself_in_openapi_3(client: APIClient) -> None:
    answer = client.get("/openapi.json")

    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.")


def test_the_description_is_written_once(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get("/openapi.json")
    monkeypatch.setattr(OpenApiJsonRenderer2, "render", lambda *args, **options: pytest.fail("written again"))

    assert client.get("/openapi.json").content == first.content
    assert client.get("/openapi.json", HTTP_ACCEPT="application/json; indent=8").content == first.content


def test_the_admin_asks_for_a_login_of_its_own(as_user: ApiClient, superuser: User) -> None:
    answer = as_user(superuser).get("/admin/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")
