from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import RefreshToken, Session, User
from accounts.tests.test_register import USER_KEYS
from aimessage.tests.asserts import assert_problem
from tests.factories import PASSWORD

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def log_in(client: APIClient, username: Any = "alice", password: Any = PASSWORD, **headers: Any) -> Any:
    return client.post("/auth/login", {"username": username, "password": password}, **headers)


def test_login_opens_a_session(client: APIClient, alice: User, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)

    answer = log_in(client, HTTP_USER_AGENT="Phone/1.0", REMOTE_ADDR="192.0.2.7")

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "user"}
    assert body["token_type"] == "bearer"
    assert set(body["user"]) == USER_KEYS
    assert body["user"]["id"] == alice.pk
    assert answer.headers["Cache-Control"] == "no-store"
    session = Session.objects.get()
    assert (session.user, session.is_active) == (alice, True)
    assert (session.device_info, session.ip_address) == ("Phone/1.0", "192.0.2.7")
    assert session.created_at == session.last_used_at == NOON
    assert session.expires_at == NOON + timedelta(days=7)


def test_a_login_is_the_users_last_login(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), tick=False)
    updated_at = alice.updated_at

    client.post("/auth/login", {"username": "alice", "password": PASSWORD})
    client.post("/auth/login", {"username": "alice", "password": "wrong"})

    alice.refresh_from_db()
    assert (alice.last_login, alice.updated_at) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), updated_at)


def test_both_tokens_of_a_login_work(client: APIClient, alice: User) -> None:
    tokens = log_in(client).json()

    me = client.get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    fresh = client.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})

    assert me.json()["username"] == "alice"
    assert fresh.status_code == 200


def test_the_database_keeps_a_digest_and_never_the_refresh_token(client: APIClient, alice: User) -> None:
    token = log_in(client).json()["refresh_token"]

    row = RefreshToken.objects.get()
    assert row.token == sha256(token.encode()).hexdigest()
    assert (row.user, row.session, row.is_used) == (alice, Session.objects.get(), False)


def test_every_login_is_a_session_of_its_own(client: APIClient, alice: User) -> None:
    first, second = log_in(client).json(), log_in(client).json()

    assert first["access_token"] != second["access_token"]
    assert first["refresh_token"] != second["refresh_token"]
    assert Session.objects.live().filter(user=alice).count() == 2


@pytest.mark.parametrize("name", ["alice", "ALICE", "aLiCe", "\uff21lice"])
def test_login_ignores_the_case_of_the_username(client: APIClient, alice: User, name: str) -> None:
    assert log_in(client, name).json()["user"]["id"] == alice.pk


def test_login_heeds_the_case_and_the_spaces_of_the_password(client: APIClient, alice: User) -> None:
    for password in (PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} "):
        assert_problem(log_in(client, password=password), 401, "Incorrect username or password")
    assert not Session.objects.exists()


def test_unknown_user_and_wrong_password_are_one_answer(client: APIClient, alice: User) -> None:
    wrong, unknown = log_in(client, password="wrong-password"), log_in(client, "nobody")

    assert_problem(wrong, 401, "Incorrect username or password")
    assert_problem(unknown, 401, "Incorrect username or password")
    assert wrong.content == unknown.content
    names = {"X-Request-ID"}
    assert {**wrong.headers, **dict.fromkeys(names)} == {**unknown.headers, **dict.fromkeys(names)}
    assert not Session.objects.exists()


def test_unknown_user_and_wrong_password_cost_the_same_hashing(
    client: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def spy(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", spy)
    log_in(client, password="wrong-password")
    known = len(hashed)
    log_in(client, "nobody", "wrong-password")

    assert (known, len(hashed)) == (1, 2)


def test_a_disabled_account_is_told_so_with_the_right_password_alone(client: APIClient, alice: User) -> None:
    User.objects.update(is_active=False)

    assert_problem(log_in(client), 403, "User is disabled")
    assert_problem(log_in(client, password="wrong-password"), 401, "Incorrect username or password")
    assert not Session.objects.exists()


@pytest.mark.parametrize("value", [None, True, 7, 2.5, [], {}, ""])
@pytest.mark.parametrize("field", ["username", "password"])
def test_a_name_or_password_that_is_no_text_is_refused(
    client: APIClient, alice: User, field: str, value: Any
) -> None:
    body = assert_problem(log_in(client, **{field: value}), 400)

    assert set(body["errors"]) == {field}


def test_a_missing_name_and_password_are_named(client: APIClient, db: None) -> None:
    assert set(assert_problem(client.post("/auth/login", {}), 400)["errors"]) == {"username", "password"}


def test_a_dead_token_in_the_header_does_not_hinder_a_login(client: APIClient, alice: User) -> None:
    assert log_in(client, HTTP_AUTHORIZATION="Bearer dead").status_code == 200


def test_an_endless_user_agent_with_line_breaks_is_cut_and_escaped(client: APIClient, alice: User) -> None:
    answer = log_in(client, HTTP_USER_AGENT="Phone\n" + "x" * 1000)

    assert answer.status_code == 200
    device = Session.objects.get().device_info
    assert device is not None
    assert device.startswith("Phone\\n")
    assert len(device) == 255


def test_a_very_long_name_or_password_is_merely_wrong(client: APIClient, alice: User) -> None:
    assert_problem(log_in(client, "x" * 100_000), 401)
    assert_problem(log_in(client, password="x" * 100_000), 401)
