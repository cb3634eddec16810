import re
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import FailedLogin, PersonalToken, User
from accounts.personal_tokens import is_well_formed, new_token
from accounts.services import tokens
from accounts.services.tokens import make_token, revoke_tokens
from accounts.services.users import disable_user, enable_user
from accounts.tokens import digest
from aimessage.api.problems import Conflict
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together
from conftest import ApiClient
from tests.factories import PASSWORD, PersonalTokenFactory

pytestmark = pytest.mark.django_db

GOOD = {"name": "Backup", "scopes": ["messages:read"], "current_password": PASSWORD}
KEYS = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at"]


def make(client: APIClient, **changed: Any) -> Any:
    return client.post("/auth/tokens", {**GOOD, **changed})


# --- What a token is ---


def test_a_token_is_shown_once_and_works(as_user: ApiClient, alice: User) -> None:
    answer = make(as_user(alice), scopes=["profile:read", "messages:read"])

    assert answer.status_code == 201
    made = answer.json()
    raw = made.pop("token")
    assert re.fullmatch("aim_[0-9A-Za-z]{49}", raw)
    assert list(made) == KEYS
    assert (made["name"], made["prefix"]) == ("Backup", raw[:10])
    assert made["scopes"] == ["profile:read", "messages:read"]
    assert (made["expires_at"], made["last_used_at"]) == (None, None)
    row = PersonalToken.objects.get()
    assert (row.user, row.token) == (alice, digest(raw))
    assert raw[10:] not in str(list(PersonalToken.objects.values()))

    me = APIClient().get("/auth/me", HTTP_AUTHORIZATION=f"bearer {raw}")
    assert (me.status_code, me.json()["username"]) == (200, "alice")


def test_new_tokens_have_a_checksum_that_typos_break() -> None:
    made = {new_token() for _ in range(200)}

    assert len(made) == 200
    assert {len(token) for token in made} == {53}
    assert set("".join(token[4:] for token in made)) == set(string.ascii_letters + string.digits)
    token = made.pop()
    assert is_well_formed(token)
    for place in range(4, 53):
        other = "a" if token[place] != "a" else "b"
        assert not is_well_formed(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token + "0",
        lambda token: token.swapcase(),
        lambda token: token.replace("aim_", "aim-"),
        lambda token: f"aim_{'0' * 49}",
        lambda token: "aim_",
        lambda token: f"{token} {token}",
        lambda token: f"{token[:20]}\xe9{token[21:]}",
        lambda token: "aim_" + "x" * 5000,
        lambda token: new_token(),
    ],
)
def test_a_text_that_is_no_live_token_is_401(
    client: APIClient, as_program: ApiClient, alice: User, spoil: Any
) -> None:
    raw = as_program(alice, "profile:read").raw_token

    answer = client.get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {spoil(raw)}")

    problem = assert_problem(answer, 401)
    assert (problem["code"], answer["WWW-Authenticate"]) == ("not_authenticated", "Bearer")


def test_a_malformed_token_costs_no_query(client: APIClient, db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        client.get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {new_token()[:-1]}")

    assert len(queries) == 0


# --- How long it works ---


def test_a_revoked_token_is_dead_at_once(as_user: ApiClient, as_program: ApiClient, alice: User) -> None:
    program, me = as_program(alice, "profile:read"), as_user(alice)
    assert program.get("/auth/me").status_code == 200

    answer = me.delete(f"/auth/tokens/{program.token_row.pk}")

    assert (answer.status_code, answer.json()) == (200, {"message": "Token revoked successfully"})
    assert program.get("/auth/me").status_code == 401
    assert me.get("/auth/tokens").json() == []
    assert_problem(me.delete(f"/auth/tokens/{program.token_row.pk}"), 404)


def test_somebody_elses_token_is_404(
    as_user: ApiClient, as_program: ApiClient, alice: User, bob: User
) -> None:
    program = as_program(alice, "profile:read")

    for pk in (program.token_row.pk, 2**40, 0, "x"):
        assert_problem(as_user(bob).delete(f"/auth/tokens/{pk}"), 404)

    assert program.get("/auth/me").status_code == 200


def test_a_token_ends_when_it_expires(
    as_user: ApiClient, alice: User, client: APIClient, time_machine: TimeMachineFixture
) -> None:
    start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    time_machine.move_to(start, tick=False)
    made = make(as_user(alice), scopes=["profile:read"], expires_in_days=1).json()
    assert made["expires_at"] == "2026-01-03T03:04:05.000000Z"
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {made['token']}"}

    time_machine.move_to(start + timedelta(days=1, seconds=-1), tick=False)
    assert client.get("/auth/me", **bearer).status_code == 200
    time_machine.move_to(start + timedelta(days=1), tick=False)
    assert client.get("/auth/me", **bearer).status_code == 401
    assert as_user(alice).get("/auth/tokens").json() == []


def test_a_disabled_users_token_is_401_until_they_are_enabled(
    as_program: ApiClient, alice: User, superuser: User
) -> None:
    program = as_program(alice, "profile:read")

    disable_user(alice, actor=superuser)
    assert program.get("/auth/me").status_code == 401
    enable_user(alice, actor=superuser)
    assert program.get("/auth/me").status_code == 200


@pytest.mark.parametrize("kind", ["bot", "contact"])
def test_only_persons_have_tokens_that_work(as_program: ApiClient, alice: User, kind: str) -> None:
    program = as_program(alice, "profile:read")
    User.objects.filter(pk=alice.pk).update(kind=kind)

    assert program.get("/auth/me").status_code == 401


def test_a_token_outlives_sessions_and_the_password(
    as_user: ApiClient, as_program: ApiClient, alice: User
) -> None:
    program, me = as_program(alice, "profile:read"), as_user(alice)
    changed = {"current_password": PASSWORD, "new_password": "amber-kettle-77"}
    assert me.put("/auth/me/password", changed).status_code == 200
    assert me.post("/auth/logout-all").status_code == 200

    assert program.get("/auth/me").status_code == 200


def test_its_user_can_be_deleted(as_program: ApiClient, alice: User) -> None:
    program = as_program(alice, "profile:read")
    alice.delete()

    assert program.get("/auth/me").status_code == 401


def test_last_used_is_noted_once_a_minute(
    as_program: ApiClient, as_user: ApiClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    time_machine.move_to(start, tick=False)
    program, me = as_program(alice, "profile:read"), as_user(alice)
    noted = []
    for seconds in (0, 30, 60, 61, 90):
        time_machine.move_to(start + timedelta(seconds=seconds), tick=False)
        assert program.get("/auth/me").status_code == 200
        noted.append(me.get("/auth/tokens").json()[0]["last_used_at"][11:19])

    assert noted == ["03:04:05", "03:04:05", "03:04:05", "03:05:06", "03:05:06"]


def test_it_takes_one_query_to_know_a_token(as_program: ApiClient, alice: User) -> None:
    program = as_program(alice, "profile:read")
    program.get("/auth/me")

    with CaptureQueriesContext(connection) as queries:
        program.get("/auth/me")

    assert len(queries) == 1


# --- Making one ---


@pytest.mark.parametrize(
    ("changed", "field", "code"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": " \u3164"}, "name", "blank"),
        ({"name": "x" * 101}, "name", "max_length"),
        ({"name": 7}, "name", "invalid"),
        ({"scopes": []}, "scopes", "min_length"),
        ({"scopes": "messages:read"}, "scopes", "not_a_list"),
        ({"scopes": None}, "scopes", "null"),
        ({"scopes": ["messages:admin"]}, "scopes", "invalid_choice"),
        ({"scopes": ["messages:read", "Messages:Read"]}, "scopes", "invalid_choice"),
        ({"scopes": [None]}, "scopes", "null"),
        ({"scopes": [["messages:read"]]}, "scopes", "invalid_choice"),
        ({"scopes": ["messages:read"] * 2}, "scopes", "repeated"),
        ({"expires_in_days": 0}, "expires_in_days", "min_value"),
        ({"expires_in_days": -1}, "expires_in_days", "min_value"),
        ({"expires_in_days": 3651}, "expires_in_days", "max_value"),
        ({"expires_in_days": 10**30}, "expires_in_days", "max_value"),
        ({"expires_in_days": 1.5}, "expires_in_days", "invalid"),
        ({"expires_in_days": "7"}, "expires_in_days", "invalid"),
        ({"expires_in_days": True}, "expires_in_days", "invalid"),
        ({"current_password": "wrong-password-9"}, "current_password", "wrong_password"),
        ({"current_password": ""}, "current_password", "wrong_password"),
    ],
)
def test_a_wrong_value_makes_nothing(
    as_user: ApiClient, alice: User, changed: dict[str, Any], field: str, code: str
) -> None:
    problem = assert_problem(make(as_user(alice), **changed), 400)

    assert problem["codes"] == {field: [code]}
    assert not PersonalToken.objects.exists()


def test_the_most_that_there_may_be(as_user: ApiClient, alice: User) -> None:
    every = [
        *("reports:write", "reports:read", "messages:write", "messages:read"),
        *("people:write", "people:read", "profile:write", "profile:read"),
    ]

    answer = make(as_user(alice), name="ü" * 100, scopes=every)

    assert answer.status_code == 201
    assert (answer.json()["name"], answer.json()["scopes"]) == ("ü" * 100, every)


@pytest.mark.parametrize("missing", ["name", "scopes", "current_password"])
def test_a_missing_value_makes_nothing(as_user: ApiClient, alice: User, missing: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != missing}

    problem = assert_problem(as_user(alice).post("/auth/tokens", body), 400)

    assert list(problem["errors"]) == [missing]
    assert not PersonalToken.objects.exists()


def test_a_wrong_password_counts_as_a_failed_login(
    as_user: ApiClient, alice: User, settings: Settings
) -> None:
    me = as_user(alice)
    for _ in range(settings.LOCKOUT_FAILURES):
        assert_problem(make(me, current_password="wrong-password-9"), 400)

    assert FailedLogin.objects.filter(user=alice).count() == settings.LOCKOUT_FAILURES
    assert_problem(make(me), 429, code="locked_out")


@pytest.mark.parametrize(
    ("longest", "asked", "days"),
    [
        (0, {}, None),
        (0, {"expires_in_days": None}, None),
        (0, {"expires_in_days": 3650}, 3650),
        (90, {}, 90),
        (90, {"expires_in_days": None}, 90),
        (90, {"expires_in_days": 90}, 90),
        (90, {"expires_in_days": 1}, 1),
    ],
)
def test_how_long_it_lives(
    as_user: ApiClient,
    alice: User,
    settings: Settings,
    longest: int,
    asked: dict[str, Any],
    days: int | None,
) -> None:
    settings.TOKEN_MAX_DAYS = longest

    assert make(as_user(alice), **asked).status_code == 201

    token = PersonalToken.objects.get()
    assert token.expires_at == (None if days is None else token.created_at + timedelta(days=days))


def test_it_lives_no_longer_than_the_server_allows(
    as_user: ApiClient, alice: User, settings: Settings
) -> None:
    settings.TOKEN_MAX_DAYS = 90

    problem = assert_problem(make(as_user(alice), expires_in_days=91), 400)

    assert problem["codes"] == {"expires_in_days": ["max_value"]}
    assert not PersonalToken.objects.exists()


def test_fifty_live_ones_are_the_most(as_user: ApiClient, alice: User, bob: User) -> None:
    me, now = as_user(alice), timezone.now()
    PersonalTokenFactory.create_batch(49, user=alice)
    PersonalTokenFactory(user=alice, revoked_at=now)
    PersonalTokenFactory(user=alice, expires_at=now)
    PersonalTokenFactory(user=bob)
    last = make(me)
    assert last.status_code == 201

    assert_problem(make(me), 403, code="limit_reached")

    assert me.delete(f"/auth/tokens/{last.json()['id']}").status_code == 200
    assert make(me).status_code == 201


def test_the_list_is_newest_first_and_one_s_own(as_user: ApiClient, alice: User, bob: User) -> None:
    me = as_user(alice)
    ids = [make(me, name=name).json()["id"] for name in ("one", "two", "three")]
    make(as_user(bob))

    listed = me.get("/auth/tokens").json()

    assert [token["id"] for token in listed] == ids[::-1]
    assert all(list(token) == KEYS for token in listed)


def test_its_owner_is_told(as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(tokens, "notify", lambda user, kind, **context: told.append((user, kind, context)))

    make(as_user(alice))
    make(as_user(alice), current_password="wrong-password-9")

    assert told == [(alice, "token_made", {"name": "Backup", "scopes": ["messages:read"]})]


def test_a_password_that_was_changed_meanwhile_makes_none(alice: User) -> None:
    late = User.objects.get(pk=alice.pk)
    alice.set_password("amber-kettle-77")
    alice.save()

    with pytest.raises(Conflict):
        make_token(late, name="Backup", scopes=["profile:read"])


def test_dead_ones_go_after_a_month(as_user: ApiClient, alice: User, bob: User) -> None:
    old, young = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=29)
    for when in (old, young):
        PersonalTokenFactory(user=alice, revoked_at=when)
        PersonalTokenFactory(user=alice, expires_at=when)
    PersonalTokenFactory(user=bob, revoked_at=old)

    make(as_user(alice))
    assert PersonalToken.objects.filter(user=alice).count() == 3

    assert tokens.sweep() == {"personal tokens": 1}
    assert PersonalToken.objects.count() == 3


def test_every_token_of_a_user_can_be_revoked(as_program: ApiClient, alice: User, bob: User) -> None:
    programs = [as_program(alice, "profile:read") for _ in range(2)]
    others = as_program(bob, "profile:read")

    assert revoke_tokens(PersonalToken.objects.filter(user=alice), reason="password reset") == 2

    assert [program.get("/auth/me").status_code for program in programs] == [401, 401]
    assert others.get("/auth/me").status_code == 200
    assert revoke_tokens(PersonalToken.objects.filter(user=alice), reason="password reset") == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_at_once_do_not_get_past_the_limit(alice: User) -> None:
    PersonalTokenFactory.create_batch(45, user=alice)

    def make_one() -> bool:
        try:
            make_token(alice, name="Backup", scopes=["profile:read"])
        except Exception:
            return False
        return True

    assert sorted(run_together(*[make_one] * 20)) == [False] * 15 + [True] * 5
    assert PersonalToken.objects.count() == 50
