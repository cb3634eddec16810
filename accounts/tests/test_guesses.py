"""Wherever a password is asked for, wrong ones count together, for one name from one client."""

from typing import Any

import pytest
from django.contrib.auth.hashers import verify_password
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import FailedLogin, Session, User
from accounts.services import users
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

#: Where User.check_password finds it.
VERIFY_PASSWORD = "accounts.models.users.verify_password"
WRONG, NEW = "not-the-password", "amber-kettle-77"
LOCKED = "Too many failed logins, try again later"


def log_in(name: str = "root", password: str = WRONG, address: str = "127.0.0.1") -> Any:
    return APIClient().post("/auth/login", {"username": name, "password": password}, REMOTE_ADDR=address)


def enter_admin(password: str = WRONG) -> Any:
    return Client().post("/admin/login/", {"username": "root", "password": password})


def change(phone: APIClient, current: str = WRONG, **extra: Any) -> Any:
    return phone.put("/auth/me/password", {"current_password": current, "new_password": NEW}, **extra)


def change_in_admin(browser: Client, old: str = WRONG) -> Any:
    sent = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return browser.post("/admin/password_change/", sent)


def test_every_door_counts_and_every_door_is_shut(
    superuser: User, as_user: ApiClient, browser_of: Any
) -> None:
    phone, browser = as_user(superuser), browser_of(superuser)
    doors = [
        lambda password: log_in(password=password),
        enter_admin,
        lambda password: change(phone, password),
        lambda password: change_in_admin(browser, password),
    ]
    wrong = [door(WRONG).status_code for door in [*doors, doors[2]]]
    shut = [door(password).status_code for door in doors for password in (WRONG, PASSWORD)]

    assert wrong == [401, 200, 400, 200, 400]
    assert shut == [429] * 8
    assert FailedLogin.objects.count() == 5
    superuser.refresh_from_db()
    assert superuser.check_password(PASSWORD)
    # Reading goes on, and so does whoever comes from elsewhere.
    assert phone.get("/auth/me").status_code == 200
    assert log_in(password=PASSWORD, address="192.0.2.9").status_code == 200


def test_a_change_of_password_is_locked_like_a_login(as_user: ApiClient, alice: User) -> None:
    phone = as_user(alice)
    for _ in range(5):
        assert_problem(change(phone), 400, "Current password is incorrect")

    answer = change(phone, PASSWORD)

    assert_problem(answer, 429, LOCKED)
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert change(phone, PASSWORD, REMOTE_ADDR="192.0.2.9").status_code == 200


@pytest.mark.parametrize("way", ["api", "admin"])
def test_a_right_password_forgives(superuser: User, as_user: ApiClient, browser_of: Any, way: str) -> None:
    for _ in range(4):
        log_in()

    if way == "api":
        assert change(as_user(superuser), PASSWORD).status_code == 200
    else:
        assert change_in_admin(browser_of(superuser), PASSWORD).status_code == 302

    assert not FailedLogin.objects.exists()
    assert log_in(password=NEW).status_code == 200


def test_a_new_password_that_is_refused_is_no_guess(as_user: ApiClient, alice: User) -> None:
    phone = as_user(alice)
    for _ in range(6):
        sent = {"current_password": WRONG, "new_password": "short"}
        assert set(assert_problem(phone.put("/auth/me/password", sent), 400)["errors"]) == {"new_password"}

    assert change(phone, PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("addresses", "locks"),
    [
        ([f"2001:db8::{n}" for n in range(1, 6)], "2001:db8:0:0:ffff::1"),
        ([f"2001:db8:0:0:{n:x}::1" for n in range(0xAAA0, 0xAAA5)], "2001:db8::9"),
        (["192.0.2.7", "::ffff:192.0.2.7"] * 2 + ["::ffff:c000:207"], "192.0.2.7"),
    ],
)
def test_whoever_has_a_64_or_maps_an_address_is_one_client(
    alice: User, addresses: list[str], locks: str
) -> None:
    for address in addresses:
        assert log_in("alice", address=address).status_code == 401

    assert log_in("alice", PASSWORD, address=locks).status_code == 429
    assert log_in("alice", PASSWORD, address="2001:db8:0:1::1").status_code == 200
    assert log_in("alice", PASSWORD, address="192.0.2.8").status_code == 200


def test_a_lockout_of_a_64_is_shown_and_lifted_as_one(superuser: User, alice: User, browser_of: Any) -> None:
    for n in range(1, 6):
        log_in("alice", address=f"2001:db8::{n}")
    desk, page = browser_of(superuser), f"/admin/accounts/user/{alice.pk}/"
    shown = desk.get(f"{page}change/").content.decode()
    assert "Locked out from 2001:db8::/64" in shown

    desk.post(f"{page}unlock/", {"address": "2001:db8::/64"})

    assert log_in("alice", PASSWORD, address="2001:db8::1").status_code == 200


def test_behind_a_proxy_that_writes_ports_every_client_counts_alone(alice: User, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    client = APIClient()

    def enter(forwarded: str, password: str) -> int:
        sent = {"username": "alice", "password": password}
        answer = client.post("/auth/login", sent, HTTP_X_FORWARDED_FOR=forwarded)
        return int(answer.status_code)

    for stranger in ("203.0.113.9:{}", "[2001:db8::1]:{}"):
        statuses = [enter(stranger.format(port), WRONG) for port in range(50_000, 50_006)]
        assert statuses == [401] * 5 + [429]

    assert enter("198.51.100.2:443", PASSWORD) == 200
    assert enter("[2001:db8:9::1]", PASSWORD) == 200
    assert set(Session.objects.values_list("ip_address", flat=True)) == {"198.51.100.2", "2001:db8:9::1"}


def test_an_unlock_of_somebody_who_is_not_locked_out_does_nothing(
    superuser: User, alice: User, browser_of: Any
) -> None:
    log_in("alice")

    url = f"/admin/accounts/user/{alice.pk}/unlock/"
    page = browser_of(superuser).post(url, {"address": "127.0.0.1"}, follow=True).content.decode()

    assert "There is no such lockout any more." in page
    assert FailedLogin.objects.count() == 1


def test_no_transaction_is_open_while_a_changed_password_is_hashed(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[bool] = []
    outermost = len(connection.savepoint_ids)

    def note(function: Any) -> Any:
        def noted(*args: Any, **kwargs: Any) -> Any:
            inside.append(len(connection.savepoint_ids) > outermost)
            return function(*args, **kwargs)

        return noted

    monkeypatch.setattr(VERIFY_PASSWORD, note(verify_password))
    monkeypatch.setattr(users, "make_password", note(users.make_password))

    assert change(as_user(alice), PASSWORD).status_code == 200
    assert inside == [False, False]


def test_a_password_that_changes_during_its_change_is_looked_at_again(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = users.make_password

    def change_meanwhile(password: str) -> str:
        User.objects.filter(pk=alice.pk).update(password=make("brass-anchor-19"))
        return make(password)

    monkeypatch.setattr(users, "make_password", change_meanwhile)

    assert_problem(change(as_user(alice), PASSWORD), 400, "Current password is incorrect")
    alice.refresh_from_db()
    assert alice.check_password("brass-anchor-19")


def test_a_hash_that_changes_all_the_time_is_a_conflict(
    as_user: ApiClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rehash_meanwhile(password: str, hashed: str) -> Any:
        User.objects.filter(pk=alice.pk).update(password=users.make_password(PASSWORD))
        return verify_password(password, hashed)

    monkeypatch.setattr(VERIFY_PASSWORD, rehash_meanwhile)

    assert_problem(change(as_user(alice), PASSWORD), 409)
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
