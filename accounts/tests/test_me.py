from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.test_register import USER_KEYS
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

PROFILE = {"full_name": "Alice B. Archer", "bio": "Bakes.", "phone_number": "+4930123456"}


def fields(user: User) -> dict[str, Any]:
    """All but the time of the login, which every client of a user starts with."""
    user.refresh_from_db()
    hidden = {"_state", "last_login"}
    return {name: value for name, value in vars(user).items() if name not in hidden}


def test_me_is_the_user(as_user: ApiClient, alice: User) -> None:
    User.objects.update(created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))

    answer = as_user(alice).get("/auth/me")

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == USER_KEYS
    assert (body["id"], body["username"]) == (alice.pk, "alice")
    assert body["created_at"] == "2026-01-02T03:04:05.678901Z"
    assert body["updated_at"].endswith("Z")
    assert (body["bio"], body["phone_number"]) == (None, None)


def test_a_time_on_the_full_second_has_its_microseconds_too(as_user: ApiClient, alice: User) -> None:
    User.objects.update(created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    assert as_user(alice).get("/auth/me").json()["created_at"] == "2026-01-02T03:04:05.000000Z"


def test_me_takes_one_query(
    as_user: ApiClient, alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = as_user(alice)

    with django_assert_num_queries(1):  # the session with its user
        client.get("/auth/me")


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_changes_the_profile(as_user: ApiClient, alice: User, method: str) -> None:
    answer = getattr(as_user(alice), method)("/auth/me", PROFILE)

    assert answer.status_code == 200
    assert set(answer.json()) == USER_KEYS
    assert {name: answer.json()[name] for name in PROFILE} == PROFILE
    before = alice.updated_at
    alice.refresh_from_db()
    assert {name: getattr(alice, name) for name in PROFILE} == PROFILE
    assert alice.updated_at > before


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_changes_only_the_fields_sent(as_user: ApiClient, alice: User, method: str) -> None:
    User.objects.update(bio="Old.", phone_number="+4930123456")

    answer = getattr(as_user(alice), method)("/auth/me", {"bio": "New."})

    assert answer.status_code == 200
    alice.refresh_from_db()
    assert (alice.full_name, alice.bio, alice.phone_number) == ("Alice Archer", "New.", "+4930123456")


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_empty_update_changes_nothing(as_user: ApiClient, alice: User, method: str) -> None:
    before = fields(alice)

    answer = getattr(as_user(alice), method)("/auth/me", {})

    assert answer.status_code == 200
    assert answer.json()["full_name"] == "Alice Archer"
    assert fields(alice) == before


@pytest.mark.parametrize("empty", [None, ""])
def test_null_or_nothing_clears_a_field(as_user: ApiClient, alice: User, empty: str | None) -> None:
    User.objects.update(**PROFILE)

    answer = as_user(alice).put("/auth/me", dict.fromkeys(PROFILE, empty))

    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in PROFILE} == dict.fromkeys(PROFILE)
    alice.refresh_from_db()
    assert {name: getattr(alice, name) for name in PROFILE} == dict.fromkeys(PROFILE)


def test_no_other_field_changes_whatever_is_sent(as_user: ApiClient, alice: User) -> None:
    before = fields(alice)
    sent = {
        "id": 1000,
        "username": "root",
        "email": "root@example.org",
        "password": "amber-kettle-77",
        "is_superuser": True,
        "is_staff": True,
        "is_active": False,
        "created_at": "2020-01-01T00:00:00Z",
        "groups": [1],
        "username_key": "root",
    }

    answer = as_user(alice).put("/auth/me", sent)

    assert answer.status_code == 200
    assert fields(alice) == before


def test_a_taken_phone_number_is_refused(as_user: ApiClient, alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(phone_number="+4930123456")
    before = fields(alice)

    answer = as_user(alice).put("/auth/me", {"bio": "New.", "phone_number": "+49 30 123456"})

    assert set(assert_problem(answer, 400, "Phone number already registered")["errors"]) == {"phone_number"}
    assert fields(alice) == before


def test_ones_own_phone_number_can_be_sent_again(as_user: ApiClient, alice: User) -> None:
    User.objects.update(phone_number="+4930123456")

    assert as_user(alice).put("/auth/me", {"phone_number": "0049 30 123456"}).status_code == 200


@pytest.mark.parametrize("field", list(PROFILE))
@pytest.mark.parametrize("value", [True, 7, 2.5, [], {}, ["x"]])
def test_a_field_of_a_wrong_type_is_refused(as_user: ApiClient, alice: User, field: str, value: Any) -> None:
    before = fields(alice)

    answer = as_user(alice).put("/auth/me", {field: value})

    assert set(assert_problem(answer, 400)["errors"]) == {field}
    assert fields(alice) == before


@pytest.mark.parametrize(
    "sent",
    [
        *({"full_name": "x" * 256}, {"full_name": "x" + " " * 255}),
        *({"bio": "x" * 20_001}, {"bio": "x" + "\n" * 20_000}),
        *({"phone_number": "030 1234"}, {"phone_number": "+49"}),
    ],
)
def test_what_does_not_fit_is_refused(as_user: ApiClient, alice: User, sent: dict[str, str]) -> None:
    assert set(assert_problem(as_user(alice).put("/auth/me", sent), 400)["errors"]) == set(sent)


def test_a_new_full_name_is_found_in_the_directory(as_user: ApiClient, alice: User, bob: User) -> None:
    as_user(alice).put("/auth/me", {"full_name": "Zoë Quist"})

    people = as_user(bob).get("/auth/directory?search=zoë").json()

    assert [person["username"] for person in people] == ["alice"]


@pytest.mark.parametrize("method", ["get", "put", "patch"])
def test_it_wants_a_token(client: APIClient, alice: User, method: str) -> None:
    assert_problem(getattr(client, method)("/auth/me"), 401, "Not authenticated")
