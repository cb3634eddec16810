"""Bearer tokens: what is in them, which are good, and until when."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as live_settings
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import Session, User
from accounts.services.users import delete_user, disable_user
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import UserFactory

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


def sign(payload: dict[str, Any], key: str | None = None, algorithm: str = "HS256") -> str:
    return jwt.encode(payload, live_settings.JWT_KEYS[0] if key is None else key, algorithm=algorithm)


def get_me(client: APIClient, token: str) -> Any:
    return client.get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {token}")


@pytest.mark.parametrize(
    ("kind", "lifetime"), [("access", timedelta(minutes=30)), ("refresh", timedelta(days=7))]
)
def test_a_token_says_whose_it_is_and_how_long_it_lasts(
    as_user: ApiClient, alice: User, time_machine: TimeMachineFixture, kind: str, lifetime: timedelta
) -> None:
    time_machine.move_to(NOON, tick=False)
    client = as_user(alice)
    token = getattr(client.tokens, f"{kind}_token")

    payload = claims(token)

    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert set(payload) == {"sub", "username", "sid", "type", "jti", "iat", "exp", "iss", "aud"}
    assert (payload["sub"], payload["username"]) == (str(alice.pk), "alice")
    assert payload["sid"] == client.session_row.session_token
    assert payload["type"] == kind
    assert payload["iat"] == NOON.timestamp()
    assert payload["exp"] == (NOON + lifetime).timestamp()


def test_tokens_of_one_second_are_told_apart(
    as_user: ApiClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    pairs = [as_user(alice).tokens for _ in range(3)]

    assert len({claims(token)["jti"] for pair in pairs for token in vars(pair).values()}) == 6


def test_an_access_token_lasts_thirty_minutes(
    as_user: ApiClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    client = as_user(alice)

    time_machine.move_to(NOON + timedelta(minutes=30, seconds=-1))
    assert client.get("/auth/me").status_code == 200
    time_machine.move_to(NOON + timedelta(minutes=30))
    assert_problem(client.get("/auth/me"), 401, "Token is invalid or expired")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_case_of_the_scheme_does_not_matter(
    client: APIClient, as_user: ApiClient, alice: User, scheme: str
) -> None:
    token = as_user(alice).tokens.access_token

    assert client.get("/auth/me", HTTP_AUTHORIZATION=f"{scheme} {token}").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Token x",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer a b",
        "Bearer \u00e9",
        "x",
    ],
)
def test_a_missing_or_malformed_header_is_401(client: APIClient, db: None, header: str) -> None:
    answer = client.get("/auth/me", HTTP_AUTHORIZATION=header)

    assert_problem(answer, 401)


def test_a_refresh_token_is_no_access_token(client: APIClient, as_user: ApiClient, alice: User) -> None:
    assert_problem(get_me(client, as_user(alice).tokens.refresh_token), 401, "Token is invalid or expired")


@pytest.mark.parametrize(
    "forge",
    [
        lambda payload: sign(payload, secrets.token_urlsafe(50)),
        lambda payload: jwt.encode(payload, None, algorithm="none"),
        lambda payload: sign(payload, algorithm="HS512"),
        lambda payload: sign({**payload, "aud": "elsewhere"}),
        lambda payload: sign({**payload, "iss": "elsewhere"}),
        lambda payload: sign({**payload, "sid": "0" * 64}),
        lambda payload: sign({**payload, "sid": ["x"]}),
        lambda payload: sign({**payload, "sub": "0"}),
        lambda payload: sign({**payload, "sub": "root"}),
        lambda payload: sign({name: value for name, value in payload.items() if name != "sid"}),
        lambda payload: sign({name: value for name, value in payload.items() if name != "sub"}),
        lambda payload: sign({name: value for name, value in payload.items() if name != "jti"}),
        lambda payload: sign({name: value for name, value in payload.items() if name != "exp"}),
    ],
    ids=[
        "foreign key",
        "no signature",
        "other algorithm",
        "aud",
        "iss",
        "other sid",
        "sid no text",
        "other sub",
        "sub no id",
        "no sid",
        "no sub",
        "no jti",
        "no exp",
    ],
)
def test_a_forged_token_is_401(
    client: APIClient, as_user: ApiClient, alice: User, forge: Callable[[dict[str, Any]], str]
) -> None:
    payload = claims(as_user(alice).tokens.access_token)

    assert get_me(client, sign(payload)).status_code == 200
    assert_problem(get_me(client, forge(payload)), 401)


def test_an_id_may_be_a_large_one(as_user: ApiClient, db: None) -> None:
    assert as_user(UserFactory(pk=2**62)).get("/auth/me").json()["id"] == 2**62


def test_a_session_is_good_for_its_own_user_alone(
    client: APIClient, as_user: ApiClient, alice: User, bob: User
) -> None:
    payload = claims(as_user(alice).tokens.access_token)

    assert_problem(get_me(client, sign({**payload, "sub": str(bob.pk)})), 401)


def test_a_token_is_good_only_while_its_session_is(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    assert client.get("/auth/me").status_code == 200

    Session.objects.update(is_active=False)
    assert_problem(client.get("/auth/me"), 401, "Session has ended")
    Session.objects.update(is_active=True, expires_at=NOON)
    assert_problem(client.get("/auth/me"), 401, "Session has ended")
    Session.objects.all().delete()
    assert_problem(client.get("/auth/me"), 401, "Session has ended")


@pytest.mark.parametrize("shut_out", [disable_user, delete_user])
def test_a_disabled_or_deleted_user_is_401(
    as_user: ApiClient, alice: User, superuser: User, shut_out: Callable[..., None]
) -> None:
    client = as_user(alice)

    shut_out(alice, actor=superuser)

    assert_problem(client.get("/auth/me"), 401)


def test_a_user_disabled_without_ado_is_401_too(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)

    User.objects.update(is_active=False)

    assert_problem(client.get("/auth/me"), 401)


def test_a_new_key_signs_while_the_old_one_still_verifies(
    client: APIClient, as_user: ApiClient, alice: User, settings: Settings
) -> None:
    old, new = secrets.token_urlsafe(50), secrets.token_urlsafe(50)
    settings.JWT_KEYS = [old]
    tokens = as_user(alice).tokens

    settings.JWT_KEYS = [new, old]
    assert get_me(client, tokens.access_token).status_code == 200
    fresh = client.post("/auth/refresh", {"refresh_token": tokens.refresh_token}).json()

    settings.JWT_KEYS = [new]
    assert get_me(client, fresh["access_token"]).status_code == 200
    assert_problem(get_me(client, tokens.access_token), 401)


@pytest.mark.parametrize(("ahead", "status"), [(0, 200), (59, 200), (60, 200), (62, 401), (3600, 401)])
def test_the_clock_of_who_issued_a_token_may_be_a_minute_ahead(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    time_machine: TimeMachineFixture,
    ahead: int,
    status: int,
) -> None:
    time_machine.move_to(NOON + timedelta(seconds=ahead), tick=False)
    tokens = as_user(alice).tokens
    time_machine.move_to(NOON, tick=False)

    assert get_me(client, tokens.access_token).status_code == status
    refreshed = client.post("/auth/refresh", {"refresh_token": tokens.refresh_token})
    assert refreshed.status_code == status


@pytest.mark.parametrize("kind", ["access", "refresh"])
@pytest.mark.parametrize(("early", "status"), [(1, 200), (0, 401), (-1, 401), (-59, 401)])
def test_an_expiry_is_not_stretched(
    client: APIClient,
    as_user: ApiClient,
    alice: User,
    time_machine: TimeMachineFixture,
    kind: str,
    early: int,
    status: int,
) -> None:
    time_machine.move_to(NOON, tick=False)
    client_of_alice = as_user(alice)
    # So that the token alone is what has an end.
    Session.objects.update(expires_at=NOON + timedelta(days=30))
    token = getattr(client_of_alice.tokens, f"{kind}_token")
    time_machine.move_to(claims(token)["exp"] - early, tick=False)

    if kind == "access":
        assert get_me(client, token).status_code == status
    else:
        assert client.post("/auth/refresh", {"refresh_token": token}).status_code == status
