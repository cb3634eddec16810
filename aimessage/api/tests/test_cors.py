from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

APP = "https://app.example.org"


def preflight(client: APIClient, origin: str = APP) -> Any:
    return client.options(
        "/messages",
        HTTP_ORIGIN=origin,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization, idempotency-key",
    )


def cors_headers(answer: Any) -> set[str]:
    return {name for name in answer.headers if name.lower().startswith("access-control-")}


def test_it_is_off_by_default(client: APIClient) -> None:
    assert not cors_headers(client.get("/health", HTTP_ORIGIN=APP))
    assert not cors_headers(preflight(client))


@pytest.mark.parametrize("path", ["/health", "/auth/me", "/nope"])
def test_a_listed_origin_may_read_every_answer_and_our_headers(
    client: APIClient, settings: Settings, path: str
) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]

    answer = client.get(path, HTTP_ORIGIN=APP)

    assert answer.headers["Access-Control-Allow-Origin"] == APP
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Link", "Retry-After", "X-Request-ID", "Idempotent-Replayed"} <= set(exposed)
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_listed_origin_may_send_what_the_api_takes(client: APIClient, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]

    answer = preflight(client)

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {
        "authorization",
        "content-type",
        "idempotency-key",
        "last-event-id",
        "x-request-id",
    } <= set(allowed)
    methods = answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(methods)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://app.example.org", "https://app.example.org.evil.example", "null"],
)
def test_any_other_origin_may_not(client: APIClient, settings: Settings, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]

    assert "Access-Control-Allow-Origin" not in client.get("/health", HTTP_ORIGIN=origin).headers
    assert "Access-Control-Allow-Origin" not in preflight(client, origin).headers
