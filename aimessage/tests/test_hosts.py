import logging
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from aimessage.server.logs import RefusedHostFilter
from aimessage.tests.asserts import assert_problem


@pytest.fixture(autouse=True)
def hosts(settings: Settings) -> None:
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
def refused(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lines on refused hosts, from the filter that the settings set up."""
    logger = logging.getLogger("django.security.DisallowedHost")
    fresh = RefusedHostFilter()
    assert any(isinstance(one, RefusedHostFilter) for one in logger.filters)
    monkeypatch.setattr(logger, "filters", [fresh])
    monkeypatch.setattr("aimessage.server.logs.monotonic", lambda: 60.0)
    logger.addHandler(caplog.handler)
    caplog.set_level("WARNING")
    yield lambda: [
        (one.levelname, one.getMessage(), one.exc_info)
        for one in caplog.get_records("call")
        if one.name == logger.name
    ]
    logger.removeHandler(caplog.handler)


def test_the_log_names_the_host_and_the_setting(client: APIClient, refused: Any) -> None:
    client.get("/health", HTTP_HOST="chat.example.com:8000")

    text = "Host 'chat.example.com:8000' was refused: AI_MESSAGE_DOMAIN does not list it"
    assert set(refused()) == {("WARNING", text, None)}


def test_nobody_fills_the_log_with_hosts(client: APIClient, refused: Any) -> None:
    for number in range(RefusedHostFilter.PER_MINUTE + 20):
        client.get("/health", HTTP_HOST=f"{number}." + "x" * 5000)

    told = {text for _, text, _ in refused()}
    assert len(told) == RefusedHostFilter.PER_MINUTE
    assert max(map(len, told)) < 400
