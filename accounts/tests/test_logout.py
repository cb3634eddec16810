from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Session, User
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

LOGGED_OUT = {"message": "Successfully logged out"}


def live(user: User) -> set[int]:
    return set(Session.objects.live().filter(user=user).values_list("pk", flat=True))


def assert_dead(client: APIClient) -> None:
    assert_problem(client.get("/auth/me"), 401)
    assert_problem(client.post("/auth/refresh", {"refresh_token": client.tokens.refresh_token}), 401)


def test_logout_ends_the_session_and_both_its_tokens(as_user: ApiClient, alice: User) -> None:
    phone, laptop = as_user(alice), as_user(alice)

    answer = phone.post("/auth/logout")

    assert (answer.status_code, answer.json()) == (200, LOGGED_OUT)
    assert_dead(phone)
    assert laptop.get("/auth/me").status_code == 200
    assert live(alice) == {laptop.session_row.pk}


def test_logout_also_ends_the_session_of_an_own_refresh_token(as_user: ApiClient, alice: User) -> None:
    phone, laptop, tablet = as_user(alice), as_user(alice), as_user(alice)

    answer = phone.post("/auth/logout", {"refresh_token": laptop.tokens.refresh_token})

    assert (answer.status_code, answer.json()) == (200, LOGGED_OUT)
    assert_dead(phone)
    assert_dead(laptop)
    assert live(alice) == {tablet.session_row.pk}


def test_logout_leaves_the_session_of_a_foreign_refresh_token(
    as_user: ApiClient, alice: User, mallory: User
) -> None:
    victim, attacker = as_user(alice), as_user(mallory)

    answer = attacker.post("/auth/logout", {"refresh_token": victim.tokens.refresh_token})

    assert (answer.status_code, answer.json()) == (200, LOGGED_OUT)
    assert victim.get("/auth/me").status_code == 200
    refreshed = victim.post("/auth/refresh", {"refresh_token": victim.tokens.refresh_token})
    assert refreshed.status_code == 200
    assert (live(alice), live(mallory)) == ({victim.session_row.pk}, set())


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u4e2d", None])
def test_a_refresh_token_that_is_of_no_use_changes_nothing(
    as_user: ApiClient, alice: User, token: str | None
) -> None:
    phone, laptop = as_user(alice), as_user(alice)

    answer = phone.post("/auth/logout", {"refresh_token": token})

    assert (answer.status_code, answer.json()) == (200, LOGGED_OUT)
    assert live(alice) == {laptop.session_row.pk}


@pytest.mark.parametrize("token", [True, 7, [], {}])
def test_a_refresh_token_that_is_no_string_is_refused(as_user: ApiClient, alice: User, token: Any) -> None:
    phone = as_user(alice)

    answer = phone.post("/auth/logout", {"refresh_token": token})

    assert set(assert_problem(answer, 400)["errors"]) == {"refresh_token"}
    assert live(alice) == {phone.session_row.pk}


def test_logout_all_ends_every_session_of_the_user_and_no_other(
    as_user: ApiClient, alice: User, bob: User
) -> None:
    phone, laptop, other = as_user(alice), as_user(alice), as_user(bob)

    answer = phone.post("/auth/logout-all")

    assert answer.status_code == 200
    assert answer.json() == {"message": "Successfully logged out from all devices"}
    assert_dead(phone)
    assert_dead(laptop)
    assert live(alice) == set()
    assert other.get("/auth/me").status_code == 200


@pytest.mark.parametrize("path", ["/auth/logout", "/auth/logout-all"])
def test_both_want_a_token(client: APIClient, as_user: ApiClient, alice: User, path: str) -> None:
    phone = as_user(alice)

    assert_problem(client.post(path, {"refresh_token": phone.tokens.refresh_token}), 401)

    assert live(alice) == {phone.session_row.pk}
