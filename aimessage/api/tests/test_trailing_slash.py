"""The same path with one trailing slash answers the same, without a redirect, for every method."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Session, User
from conftest import ApiClient
from tests.assertions import ISSUER, ISSUER_KEY
from tests.factories import PASSWORD, MessageFactory, SessionFactory

#: The CSRF token in the page of /docs differs every time.
_NONCE = re.compile(rb'"[A-Za-z0-9]{64}"')
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    """Every path of the API, an id in the place of each parameter."""
    for pattern in patterns:
        route = prefix + re.sub(r"<[^>]+>", "1", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield f"/{route}"


PATHS = sorted(
    {path for path in routes(get_resolver().url_patterns) if not path.startswith("/admin")} - {"/"}
)


def test_the_routes_are_found() -> None:
    assert {"/health", "/auth/me", "/auth/me/password", "/messages/1", "/reports"} <= set(PATHS)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.django_db
@pytest.mark.usefixtures("channels_on", "assistant_on")
def test_every_path_and_method_is_the_same_with_a_slash(
    client: APIClient, settings: Settings, path: str
) -> None:
    # Without an issuer there is no /auth/exchange.
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY
    for method in METHODS:
        plain = client.generic(method, path, HTTP_X_REQUEST_ID="x")
        slashed = client.generic(method, f"{path}/", HTTP_X_REQUEST_ID="x")

        assert slashed.status_code == plain.status_code != 404
        assert slashed.status_code not in (301, 302, 307, 308)
        assert _NONCE.sub(b"", slashed.content) == _NONCE.sub(b"", plain.content)
        assert dict(slashed.headers) == dict(plain.headers)


def test_a_body_survives_the_slash(client: APIClient, db: None) -> None:
    sent = {"username": "dave", "email": "dave@example.org", "password": PASSWORD}

    assert client.post("/auth/register/", sent).status_code == 201
    assert client.post("/auth/login/", sent).status_code == 200


def test_reading_changing_and_deleting_go_with_a_slash(as_user: ApiClient, alice: User, bob: User) -> None:
    client = as_user(alice)
    message = MessageFactory(sender=alice, recipient=bob)
    session = SessionFactory(user=alice)

    assert client.get("/auth/me/").json()["username"] == "alice"
    assert client.put("/auth/me/", {"bio": "New."}).json()["bio"] == "New."
    assert client.patch(f"/messages/{message.pk}/", {"content": "changed"}).json()["content"] == "changed"
    assert client.delete(f"/auth/sessions/{session.pk}/").status_code == 200
    assert client.get("/messages/?limit=1").json()[0]["id"] == message.pk
    assert not Session.objects.live().filter(pk=session.pk).exists()


def test_two_slashes_are_another_path(client: APIClient, db: None) -> None:
    assert client.get("/health//").status_code == 404
