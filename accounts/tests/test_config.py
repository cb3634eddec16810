from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("mode", ["open", "invite", "closed"])
def test_anybody_may_know_how_people_get_in(client: APIClient, settings: Any, mode: str) -> None:
    settings.REGISTRATION = mode

    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/auth/config")

    assert answer.status_code == 200
    keys = ["registration", "email_verification", "mail", "second_factors", "exchange", "deletion_days"]
    assert list(answer.json()) == keys
    assert answer.json()["registration"] == mode
    assert answer["Cache-Control"] == "public, max-age=300"
    assert len(queries) == 0


def test_errors_are_not_cached(client: APIClient) -> None:
    assert client.post("/auth/config", {})["Cache-Control"] == "no-store"
