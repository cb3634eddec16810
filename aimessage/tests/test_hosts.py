from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from aimessage.tests.asserts import assert_problem


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org", "localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    "host", ["chat.example.org", "CHAT.example.org:8000", "localhost:1", "127.0.0.1", "[::1]:8000"]
)
def test_a_host_of_the_settings_is_answered(client: APIClient, host: str) -> None:
    assert client.get("/health", HTTP_HOST=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "chat.example.org.evil.example", "a b", "chat.example.org@evil.example", "", "<x>"],
)
@pytest.mark.parametrize("path", ["/health", "/auth/me", "/nope", "/admin/", "/docs"])
def test_any_other_host_is_a_400(client: APIClient, host: str, path: str) -> None:
    assert_problem(client.get(path, HTTP_HOST=host), 400, "Bad request")


def test_a_forwarded_host_is_not_believed(client: APIClient) -> None:
    answer = client.get("/health", HTTP_HOST="localhost", HTTP_X_FORWARDED_HOST="evil.example")

    assert answer.status_code == 200
    assert_problem(client.get("/health", HTTP_HOST="evil.example", HTTP_X_FORWARDED_HOST="localhost"), 400)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    name = "django.security.DisallowedHost"
    return lambda: [(one.levelname, one.getMessage()) for one in caplog.records if one.name == name]


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("evil.example", "'evil.example'"),
        ("evil.example\r\nforged", r"'evil.example\r\nforged'"),
        ("\x1b[31m\u202e", r"'\x1b[31m\u202e'"),
        ("x" * 5000, f"'{'x' * 253}'"),
    ],
)
def test_the_log_names_a_refused_host_and_the_setting(
    client: APIClient, refusals: Callable[[], list[tuple[str, str]]], host: str, named: str
) -> None:
    assert client.get("/auth/me", HTTP_HOST=host).status_code == 400

    assert refusals() == [("WARNING", f"The host {named} is refused: AI_MESSAGE_DOMAIN does not name it")]


def test_the_log_says_nothing_of_a_host_that_is_allowed(
    client: APIClient, refusals: Callable[[], list[tuple[str, str]]]
) -> None:
    client.get("/health", HTTP_HOST="chat.example.org")

    assert refusals() == []
