"""What a request knows of who sends it, and what it takes to find out."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient, APIRequestFactory
from time_machine import TimeMachineFixture

from accounts.authentication import BearerAuthentication, find_session
from accounts.models import Session, User
from accounts.tests.test_lockout import LOCKED, NOON, fail, log_in
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD

#: What answers show of whoever asks, and what decides what may be done.
USED_OF_USER = ["id", "username", "email", "full_name", "bio", "phone_number"]
USED_OF_USER += ["is_active", "is_staff", "is_superuser", "created_at", "updated_at"]
USED_OF_SESSION = ["id", "user_id", "is_active", "created_at", "last_used_at", "expires_at"]


def test_one_query_finds_all_that_requests_use(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    alice.refresh_from_db()

    with CaptureQueriesContext(connection) as queries:
        session = find_session(client.tokens.access_token.encode())
        of_user = {name: getattr(session.user, name) for name in USED_OF_USER}
        of_session = {name: getattr(session, name) for name in USED_OF_SESSION}

    assert len(queries) == 1
    assert of_user == {name: getattr(alice, name) for name in USED_OF_USER}
    kept = Session.objects.get()
    assert of_session == {name: getattr(kept, name) for name in USED_OF_SESSION}
    # And no more than that: a password has no business in every request.
    unread = {"password", "session_token", "device_info"}
    assert unread <= session.get_deferred_fields() | session.user.get_deferred_fields()


@pytest.mark.parametrize("header", ["Bearer  {}", "Bearer {} ", " Bearer {}"])
def test_spaces_around_the_token_do_not_matter(
    client: APIClient, as_user: ApiClient, alice: User, header: str
) -> None:
    token = as_user(alice).tokens.access_token

    assert client.get("/auth/me", HTTP_AUTHORIZATION=header.format(token)).status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer {} more", "Basic {}", "{}"])
def test_anything_else_around_it_does(
    client: APIClient, as_user: ApiClient, alice: User, header: str
) -> None:
    token = as_user(alice).tokens.access_token

    assert_problem(client.get("/auth/me", HTTP_AUTHORIZATION=header.format(token)), 401)


def test_the_challenge_is_for_a_bearer_token() -> None:
    assert BearerAuthentication().authenticate_header(APIRequestFactory().get("/auth/me")) == "Bearer"


def test_the_wait_is_that_of_the_name_that_is_locked_out(
    client: APIClient, alice: User, bob: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client)
    time_machine.shift(300)
    fail(client, username="bob", times=1)

    answer: Any = log_in(client, password=PASSWORD)

    assert_problem(answer, 429, LOCKED)
    assert answer.headers["Retry-After"] == "600"
