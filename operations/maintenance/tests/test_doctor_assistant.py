"""What the doctor says about the assistant's provider."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from assistant.account import get_profile
from assistant.models import Profile
from operations.maintenance.doctor import assistant
from operations.maintenance.doctor.findings import Level
from operations.maintenance.tests.doctor_states import check

OK, SKIPPED, WARNING, ERROR = Level.OK, Level.SKIPPED, Level.WARNING, Level.ERROR
KEY = "sk-secret-key"

Serve = Callable[[int, str], list[tuple[str, str]]]


@pytest.fixture
def switch_on(settings: Settings) -> Callable[..., None]:
    def switch(**changes: Any) -> None:
        values = {"on": True, "model": "llama3.2", "url": "http://127.0.0.1:9/v1", "key": KEY, **changes}
        settings.ASSISTANT = replace(settings.ASSISTANT, **values)

    return switch


@pytest.fixture
def serve(switch_on: Callable[..., None]) -> Iterator[Serve]:
    """A provider that lists its models so; what it is asked."""
    servers = []

    def start(status: int, body: str) -> list[tuple[str, str]]:
        asked: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers.get("Authorization", "")))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        switch_on(url=f"http://127.0.0.1:{server.server_address[1]}/v1")
        return asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_off_is_well() -> None:
    check(assistant.configured(), OK, "off")
    check(assistant.provider(), SKIPPED)
    check(assistant.serving(), SKIPPED)


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({}, OK, "llama3.2"),
        ({"url": "https://api.openai.com/v1"}, OK, "api.openai.com"),
        ({"url": "http://api.example.org/v1"}, WARNING, "without encryption"),
        ({"url": "http://8.8.8.8/v1"}, WARNING, "without encryption"),
        ({"url": "http://api.example.org/v1", "key": ""}, OK, "api.example.org"),
        ({"url": "http://10.0.0.7:8000/v1"}, OK, "10.0.0.7"),
        ({"url": "http://ollama:11434/v1"}, OK, "ollama"),
        ({"tokens_per_day": 100}, WARNING, "single question"),
        ({"tokens_per_day": 0}, OK, ""),
    ],
)
def test_settings(switch_on: Callable[..., None], changed: dict[str, Any], level: Level, words: str) -> None:
    switch_on(**changed)
    finding = assistant.configured()
    check(finding, level, words)
    assert KEY not in str(finding)


@pytest.mark.parametrize(
    ("status", "body", "level", "words"),
    [
        (200, {"data": [{"id": "other"}, {"id": "llama3.2"}]}, OK, "knows the model"),
        (200, {"data": [{"id": "llama3.2:latest"}]}, OK, "knows the model"),
        (200, {"data": [{"id": "llama3.1"}]}, WARNING, "it has llama3.1"),
        (200, {"data": []}, WARNING, "it has none"),
        (200, {"a": 1}, WARNING, "/v1"),
        (200, [], WARNING, "/v1"),
        (200, {"data": [1]}, WARNING, "/v1"),
        (401, {}, ERROR, "AI_MESSAGE_ASSISTANT_KEY"),
        (403, {}, ERROR, "AI_MESSAGE_ASSISTANT_KEY"),
        (404, {}, WARNING, "404"),
        (302, {}, WARNING, "302"),
        (500, {}, WARNING, "500"),
    ],
)
def test_the_list_of_models(serve: Serve, status: int, body: Any, level: Level, words: str) -> None:
    asked = serve(status, json.dumps(body))

    finding = assistant.provider()

    check(finding, level, words)
    assert asked == [("/v1/models", f"Bearer {KEY}")]
    assert KEY not in str(finding)


def test_a_page_is_no_list(serve: Serve) -> None:
    serve(200, "<html>Hello</html>")
    check(assistant.provider(), WARNING, "/v1")


def test_nobody_there(switch_on: Callable[..., None]) -> None:
    switch_on()
    check(assistant.provider(), ERROR, "does not answer")


@pytest.mark.django_db
def test_how_the_last_calls_went(switch_on: Callable[..., None]) -> None:
    switch_on()
    check(assistant.serving(), OK, "not used")
    get_profile()
    check(assistant.serving(), OK, "answered")
    Profile.objects.update(failures_in_a_row=3)
    check(assistant.serving(), WARNING, "3 calls")
    Profile.objects.update(is_active=False)
    check(assistant.serving(), OK, "switched off")
    Profile.objects.update(trouble="401", trouble_at=timezone.now())
    check(assistant.serving(), ERROR, "401")
