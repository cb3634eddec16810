"""What is typed as a username and is nobody's may be a password: it is in no table and no log line."""

import logging

import pytest
from django.apps import apps
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.guesses import digest_of
from accounts.models import FailedLogin, User
from accounts.names import is_too_long
from tests.test_log_lines import Log, log  # noqa: F401

pytestmark = pytest.mark.django_db

TYPED = ["correct-horse-Battery-9", "Geheim1234", "пароль-мой-7", "p" * 399, "q" * 20_000, "ﬁne secret 7"]


def everything() -> str:
    """All rows of all tables, as text."""
    rows = (list(model._base_manager.values()) for model in apps.get_models(include_auto_created=True))
    return str(list(rows)).casefold()


@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: typed[:5])
def test_it_is_kept_nowhere(client: APIClient, alice: User, log: Log, typed: str) -> None:  # noqa: F811
    browser = Client()
    for _ in range(7):
        client.post("/auth/login", {"username": typed, "password": "x"})
        browser.post("/admin/login/", {"username": typed, "password": "x"})

    written = log.written["text"].getvalue() + log.written["json"].getvalue()
    # A name that is too long to be anybody's is not even counted.
    counted = not is_too_long(typed)
    assert ("login locked" in written) == counted
    for text in (everything(), written.casefold()):
        assert typed.casefold()[:40] not in text
    failures = FailedLogin.objects.all()
    assert {failure.name_digest for failure in failures} == ({digest_of(typed)} if counted else set())
    assert {failure.username for failure in failures} == ({"(unknown name)"} if counted else set())


def test_a_digest_cannot_be_tried_without_the_key(settings: Settings) -> None:
    digest = digest_of("Geheim1234")
    assert digest == digest_of("geheim1234")
    assert len(digest) == 64

    settings.SECRET_KEY = "another-key" * 5

    assert digest_of("Geheim1234") != digest


def test_log_lines_tell_one_unknown_name_from_another(
    client: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="auth")
    for typed in ("first-secret", "second-secret", "FIRST-secret"):
        client.post("/auth/login", {"username": typed, "password": "x"}, REMOTE_ADDR="192.0.2.7")

    first, second, third = caplog.messages
    assert first == third != second
    expected = f"unknown:{digest_of('first-secret')[:16]}"
    assert first == f"login failed: username={expected} address=192.0.2.7"
