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
