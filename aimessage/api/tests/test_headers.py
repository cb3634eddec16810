from typing import Any

import pytest
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts.models import User
from conftest import ApiClient
from tests.factories import PASSWORD

EVERYWHERE = [
    ("/", 200),
    ("/health", 200),
    ("/chat", 200),
    ("/docs", 200),
    ("/openapi.json", 200),
    ("/auth/me", 401),
    ("/nope", 404),
    ("/admin/login/", 200),
]


@pytest.mark.parametrize(("path", "status"), EVERYWHERE)
def test_browsers_are_kept_from_guessing_everywhere(
    client: APIClient, db: None, path: str, status: int
) -> None:
    answer = client.get(path)

    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_also_where_the_host_is_not_allowed(client: APIClient) -> None:
    answer = client.get("/health", HTTP_HOST="evil.example")

    assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (400, "nosniff")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/auth/me"),
        ("get", "/messages"),
        ("get", "/auth/sessions/1"),
        ("post", "/messages"),
        ("get", "/nope"),
    ],
)
def test_no_answer_to_a_bearer_token_is_stored(
    as_user: ApiClient, alice: User, method: str, path: str
) -> None:
    assert getattr(as_user(alice), method)(path).headers["Cache-Control"] == "no-store"


def test_no_token_is_stored(client: APIClient, alice: User) -> None:
    login = client.post("/auth/login", {"username": "alice", "password": PASSWORD})
    refresh = client.post("/auth/refresh", {"refresh_token": login.json()["refresh_token"]})

    assert (login.status_code, refresh.status_code) == (200, 200)
    assert login.headers["Cache-Control"] == refresh.headers["Cache-Control"] == "no-store"


def test_an_answer_with_a_cache_policy_of_its_own_is_not_stored_for_a_bearer_either(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(self: Any, request: Any) -> Response:
        return Response({}, headers={"Cache-Control": "public, max-age=60"})

    monkeypatch.setattr("aimessage.api.system.HelloView.get", get)

    assert APIClient().get("/").headers["Cache-Control"] == "public, max-age=60"
    assert as_user(alice).get("/").headers["Cache-Control"] == "no-store"
