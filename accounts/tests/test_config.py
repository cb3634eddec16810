from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("mode", ["open", "invite", "closed"])
def test_anybody_may_know_how_people_get_in(client: APIClient, settings: Settings, mode: str) -> None:
    settings.REGISTRATION = mode

    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/auth/config")

    assert answer.status_code == 200
    keys = ["registration", "email_verification", "mail", "second_factors", "exchange", "deletion_days"]
    assert list(answer.json()) == keys
    assert answer.json()["registration"] == mode
    assert answer["Cache-Control"] == "public, max-age=300"
    assert len(queries) == 0


@pytest.mark.parametrize(
    ("setting", "value", "key", "shown"),
    [
        ("EMAIL_VERIFICATION", "off", "email_verification", "off"),
        ("EMAIL_VERIFICATION", "optional", "email_verification", "optional"),
        ("EMAIL_VERIFICATION", "required", "email_verification", "required"),
        ("MAIL_ON", True, "mail", True),
        ("MAIL_ON", False, "mail", False),
        ("ISSUER", "https://app.example.org", "exchange", True),
        ("ISSUER", "", "exchange", False),
        ("DELETION_DELAY", timedelta(days=30), "deletion_days", 30),
        ("DELETION_DELAY", timedelta(0), "deletion_days", 0),
    ],
)
def test_it_says_what_is_set(
    client: APIClient, settings: Settings, setting: str, value: Any, key: str, shown: Any
) -> None:
    setattr(settings, setting, value)

    answer = client.get("/auth/config").json()

    assert answer[key] == shown
    assert answer["second_factors"] == ["totp"]


def test_errors_are_not_cached(client: APIClient) -> None:
    assert client.post("/auth/config", {})["Cache-Control"] == "no-store"
