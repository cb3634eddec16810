from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Session, User
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD

NEW = "amber-kettle-77"


def change(client: APIClient, current: Any = PASSWORD, new: Any = NEW) -> Any:
    return client.put("/auth/me/password", {"current_password": current, "new_password": new})


def test_it_sets_the_new_password(client: APIClient, as_user: ApiClient, alice: User) -> None:
    answer = change(as_user(alice))

    assert answer.status_code == 200
    assert answer.json() == {"message": "Password changed successfully"}
    old = client.post("/auth/login", {"username": "alice", "password": PASSWORD})
    new = client.post("/auth/login", {"username": "alice", "password": NEW})
    assert (old.status_code, new.status_code) == (401, 200)


def test_every_other_session_ends_and_this_one_goes_on(as_user: ApiClient, alice: User, bob: User) -> None:
    phone, laptop, other = as_user(alice), as_user(alice), as_user(bob)

    change(phone)

    assert phone.get("/auth/me").status_code == 200
    assert phone.post("/auth/refresh", {"refresh_token": phone.tokens.refresh_token}).status_code == 200
    assert_problem(laptop.get("/auth/me"), 401)
    assert_problem(laptop.post("/auth/refresh", {"refresh_token": laptop.tokens.refresh_token}), 401)
    assert list(Session.objects.live().filter(user=alice)) == [phone.session_row]
    assert other.get("/auth/me").status_code == 200


@pytest.mark.parametrize("current", ["wrong-password", "", PASSWORD.upper(), f"{PASSWORD} "])
def test_a_wrong_current_password_changes_nothing(as_user: ApiClient, alice: User, current: str) -> None:
    phone, laptop = as_user(alice), as_user(alice)

    body = assert_problem(change(phone, current=current), 400, "Current password is incorrect")

    assert set(body["errors"]) == {"current_password"}
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert laptop.get("/auth/me").status_code == 200


@pytest.mark.parametrize("new", ["short-7", "x9-" * 43, "password1", "92847561038", "alice-archer", ""])
def test_a_weak_new_password_is_refused(as_user: ApiClient, alice: User, new: str) -> None:
    laptop = as_user(alice)

    assert set(assert_problem(change(as_user(alice), new=new), 400)["errors"]) == {"new_password"}

    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert laptop.get("/auth/me").status_code == 200


@pytest.mark.parametrize("value", [None, True, 12345678, [], {}])
@pytest.mark.parametrize("field", ["current", "new"])
def test_what_is_no_text_is_refused(as_user: ApiClient, alice: User, field: str, value: Any) -> None:
    answer = change(as_user(alice), **{field: value})

    assert set(assert_problem(answer, 400)["errors"]) == {f"{field}_password"}


def test_both_are_required(as_user: ApiClient, alice: User) -> None:
    answer = as_user(alice).put("/auth/me/password", {})

    assert set(assert_problem(answer, 400)["errors"]) == {"current_password", "new_password"}


def test_it_wants_a_token(client: APIClient, alice: User) -> None:
    assert_problem(change(client), 401, "Not authenticated")
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
