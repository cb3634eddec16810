from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import RefreshToken, Session, User
from accounts.services.users import disable_user
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
USELESS = "Refresh token is invalid or expired"


def refresh(client: APIClient, token: Any) -> Any:
    return client.post("/auth/refresh", {"refresh_token": token})


def test_it_trades_a_token_for_a_new_pair(client: APIClient, as_user: ApiClient, alice: User) -> None:
    old = as_user(alice).tokens

    answer = refresh(client, old.refresh_token)

    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type"}
    assert answer.json()["token_type"] == "bearer"
    assert answer.json()["refresh_token"] != old.refresh_token
    assert answer.headers["Cache-Control"] == "no-store"
    bearer = f"Bearer {answer.json()['access_token']}"
    assert client.get("/auth/me", HTTP_AUTHORIZATION=bearer).json()["username"] == "alice"
    used, fresh = RefreshToken.objects.order_by("pk")
    assert (used.is_used, fresh.is_used) == (True, False)
    assert used.session == fresh.session == Session.objects.get()


def test_a_refresh_token_works_once_and_the_next_one_goes_on(
    client: APIClient, as_user: ApiClient, alice: User
) -> None:
    first = as_user(alice).tokens.refresh_token
    second = refresh(client, first).json()["refresh_token"]

    assert_problem(refresh(client, first), 401, USELESS)
    assert refresh(client, second).status_code == 200
    assert_problem(refresh(client, second), 401, USELESS)


@pytest.mark.parametrize(("seconds", "lives"), [(0, True), (10, True), (11, False), (3600, False)])
def test_a_used_token_that_comes_back_after_the_leeway_ends_its_session(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    time_machine: TimeMachineFixture,
    seconds: int,
    lives: bool,
) -> None:
    time_machine.move_to(NOON, tick=False)
    other = as_user(alice)
    token = as_user(alice).tokens.refresh_token
    fresh = refresh(client, token).json()
    time_machine.move_to(NOON + timedelta(seconds=seconds))

    assert_problem(refresh(client, token), 401, USELESS)

    session = RefreshToken.objects.latest("pk").session
    assert session.is_active is lives
    bearer = f"Bearer {refresh(client, fresh['refresh_token']).json().get('access_token')}"
    assert client.get("/auth/me", HTTP_AUTHORIZATION=bearer).status_code == (200 if lives else 401)
    other.session_row.refresh_from_db()
    assert other.session_row.is_active


def test_the_leeway_is_a_setting(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    settings: Settings,
    time_machine: TimeMachineFixture,
) -> None:
    settings.REUSE_LEEWAY = timedelta(0)
    time_machine.move_to(NOON, tick=False)
    token = as_user(alice).tokens.refresh_token
    refresh(client, token)
    time_machine.move_to(NOON + timedelta(seconds=1))

    assert_problem(refresh(client, token), 401, USELESS)

    assert not Session.objects.get().is_active


def test_it_moves_the_end_of_the_session_seven_days_ahead(
    client: APIClient, as_user: ApiClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    token = as_user(alice).tokens.refresh_token
    later = NOON + timedelta(days=6)
    time_machine.move_to(later)

    token = refresh(client, token).json()["refresh_token"]

    session = Session.objects.get()
    assert (session.last_used_at, session.expires_at) == (later, later + timedelta(days=7))
    assert RefreshToken.objects.latest("pk").expires_at == later + timedelta(days=7)
    time_machine.move_to(later + timedelta(days=7, seconds=-1))
    assert refresh(client, token).status_code == 200


def test_a_session_ends_at_most_so_many_days_after_the_login(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    settings: Settings,
    time_machine: TimeMachineFixture,
) -> None:
    time_machine.move_to(NOON, tick=False)
    token = as_user(alice).tokens.refresh_token
    for days in range(6, 90, 6):
        time_machine.move_to(NOON + timedelta(days=days))
        token = refresh(client, token).json()["refresh_token"]

    assert Session.objects.get().expires_at == NOON + timedelta(days=90)
    time_machine.move_to(NOON + timedelta(days=90))
    assert_problem(refresh(client, token), 401, USELESS)


def test_how_many_days_is_a_setting(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    settings: Settings,
    time_machine: TimeMachineFixture,
) -> None:
    settings.SESSION_MAX_AGE = timedelta(days=3)
    time_machine.move_to(NOON, tick=False)

    client = as_user(alice)

    assert client.session_row.expires_at == NOON + timedelta(days=3)
    time_machine.move_to(NOON + timedelta(days=3, seconds=1))
    assert_problem(refresh(client, client.tokens.refresh_token), 401, USELESS)


def test_a_token_expires_after_seven_days(
    client: APIClient, as_user: ApiClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    token = as_user(alice).tokens.refresh_token
    time_machine.move_to(NOON + timedelta(days=7, seconds=1))

    assert_problem(refresh(client, token), 401, USELESS)

    assert RefreshToken.objects.filter(is_used=False).count() == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "a.b.c",
        "....",
        "\u00e9\u4e2d\U0001f600",
        "x" * 100_000,
        "bnVsbA.bnVsbA.bnVsbA",
        "\u0009",
    ],
)
def test_any_other_string_is_401(client: APIClient, db: None, text: str) -> None:
    assert_problem(refresh(client, text), 401, USELESS)


def test_a_header_nested_without_end_is_401(client: APIClient, db: None) -> None:
    header = urlsafe_b64encode(b"[" * 60_000).decode()

    assert_problem(refresh(client, f"{header}.e30.e30"), 401, USELESS)


def test_an_access_token_is_no_refresh_token(client: APIClient, as_user: ApiClient, alice: User) -> None:
    tokens = as_user(alice).tokens

    assert_problem(refresh(client, tokens.access_token), 401, USELESS)
    assert refresh(client, tokens.refresh_token).status_code == 200


@pytest.mark.parametrize("value", [None, True, 7, 2.5, [], {}, ["x"]])
def test_what_is_no_string_is_400(client: APIClient, db: None, value: Any) -> None:
    assert set(assert_problem(refresh(client, value), 400)["errors"]) == {"refresh_token"}


def test_a_missing_token_is_400(client: APIClient, db: None) -> None:
    assert_problem(client.post("/auth/refresh", {}), 400, "refresh_token: This field is required.")


def test_nothing_is_handed_out_for_a_session_that_ended(
    client: APIClient, as_user: ApiClient, alice: User
) -> None:
    token = as_user(alice).tokens.refresh_token
    Session.objects.update(is_active=False)

    assert_problem(refresh(client, token), 401, USELESS)

    assert RefreshToken.objects.count() == 1


def test_nothing_is_handed_out_to_a_disabled_user(
    client: APIClient, as_user: ApiClient, alice: User, superuser: User
) -> None:
    token = as_user(alice).tokens.refresh_token
    disable_user(alice, actor=superuser)

    assert_problem(refresh(client, token), 401, USELESS)


def test_nothing_is_handed_out_to_a_deleted_user(client: APIClient, as_user: ApiClient, alice: User) -> None:
    token = as_user(alice).tokens.refresh_token
    alice.delete()

    assert_problem(refresh(client, token), 401, USELESS)
