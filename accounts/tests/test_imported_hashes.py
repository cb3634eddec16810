"""Passwords that were set in the former backend, with the real hashing."""

from time import thread_time

import bcrypt
import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.test_login import log_in
from aimessage.settings import PASSWORD_HASHERS
from aimessage.tests.asserts import assert_problem
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once]

OLD_PASSWORD = "brass-anchor-19"
LONG = "ä" * 35 + "xyz-and-then-some"  # byte 72 is the y


@pytest.fixture(autouse=True)
def real_hashers(_fast_and_unlimited: None, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS


def old_hash(password: str, rounds: int = 12, prefix: bytes = b"2b") -> str:
    """As the former backend stored it, by a bcrypt that cut off what follows byte 72."""
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(rounds, prefix)).decode()


def moved_in(name: str, encoded: str) -> User:
    user: User = UserFactory(username=name)
    User.objects.filter(pk=user.pk).update(password=f"bcrypt${encoded}")
    return user


@pytest.mark.parametrize("prefix", [b"2b", b"2a"])
def test_the_old_password_opens_and_is_rehashed(client: APIClient, prefix: bytes) -> None:
    user = moved_in("dave", old_hash(OLD_PASSWORD, prefix=prefix))
    before = user.updated_at

    assert log_in(client, "dave", OLD_PASSWORD).status_code == 200

    user.refresh_from_db()
    assert user.password.startswith("bcrypt_sha256$$2b$12$")
    assert user.updated_at == before
    assert log_in(client, "dave", OLD_PASSWORD).status_code == 200


def test_a_hash_that_begins_with_2y_opens(client: APIClient) -> None:
    moved_in("dave", "$2y$" + old_hash(OLD_PASSWORD, rounds=4).removeprefix("$2b$"))

    assert log_in(client, "dave", OLD_PASSWORD).status_code == 200


def test_a_wrong_password_is_refused_and_changes_nothing(client: APIClient) -> None:
    user = moved_in("dave", old_hash(OLD_PASSWORD))

    assert_problem(log_in(client, "dave", OLD_PASSWORD + "x"), 401, "Incorrect username or password")
    assert User.objects.get(pk=user.pk).password.startswith("bcrypt$$2b$")


def test_what_follows_byte_72_counts_from_the_first_login_on(client: APIClient) -> None:
    moved_in("dave", old_hash(LONG, rounds=4))

    assert_problem(log_in(client, "dave", "y" * 100), 401)
    assert log_in(client, "dave", LONG).status_code == 200
    assert_problem(log_in(client, "dave", LONG + "!"), 401)
    assert log_in(client, "dave", LONG).status_code == 200


def test_the_old_password_can_be_changed(client: APIClient) -> None:
    moved_in("dave", old_hash(LONG, rounds=4))
    token = log_in(client, "dave", LONG).json()["access_token"]
    sent = {"current_password": LONG, "new_password": "amber-kettle-77"}

    assert client.put("/auth/me/password", sent, HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 200
    assert log_in(client, "dave", "amber-kettle-77").status_code == 200


def test_the_admin_takes_the_old_password_too(client: APIClient, superuser: User) -> None:
    User.objects.filter(pk=superuser.pk).update(password=f"bcrypt${old_hash(LONG, rounds=4)}")

    for password, status in (("y" * 100, 200), (LONG, 302)):
        sent = {"username": "root", "password": password}
        assert client.post("/admin/login/?next=/admin/", sent, format="multipart").status_code == status

    assert client.get("/admin/").status_code == 200
    superuser.refresh_from_db()
    assert superuser.password.startswith("bcrypt_sha256$")


@pytest.mark.parametrize("rounds", [10, 12])
def test_a_wrong_password_costs_what_an_unknown_user_does(client: APIClient, rounds: int) -> None:
    moved_in("dave", old_hash(OLD_PASSWORD, rounds))

    def cost(name: str) -> float:
        begin = thread_time()
        assert log_in(client, name, "wrong-one-1").status_code == 401
        return thread_time() - begin

    assert cost("nobody") > cost("dave") / 2
    assert cost("dave") > cost("nobody") / 2


def test_a_hash_that_costs_more_than_ours_is_not_checked_and_takes_as_long_as_an_unknown_user(
    client: APIClient,
) -> None:
    # At cost 16 a check would take four seconds. Nobody knows the password.
    moved_in("dave", "$2b$16$" + old_hash(OLD_PASSWORD, rounds=4)[7:])
    moved_in("erin", old_hash(OLD_PASSWORD, rounds=13))

    def cost(name: str) -> float:
        begin = thread_time()
        assert_problem(log_in(client, name, OLD_PASSWORD), 401, "Incorrect username or password")
        return thread_time() - begin

    unknown = min(cost("nobody"), cost("nobody"))
    for name in ("dave", "erin"):
        assert unknown / 2 < min(cost(name), cost(name)) < unknown * 2


@pytest.mark.parametrize("stored", ["", "$2b$12$short", "$2b$99$" + "a" * 53, "$2z$12$" + "a" * 53, "\u00e4"])
def test_a_hash_that_is_none_is_a_wrong_password(client: APIClient, stored: str) -> None:
    moved_in("dave", stored)

    assert_problem(log_in(client, "dave", OLD_PASSWORD), 401, "Incorrect username or password")


def test_an_account_that_is_deleted_during_the_check_is_merely_wrong() -> None:
    user = moved_in("dave", old_hash(OLD_PASSWORD, rounds=4))
    stale = User.objects.get(pk=user.pk)
    User.objects.filter(pk=user.pk).delete()

    assert not stale.check_password(OLD_PASSWORD)


def test_a_password_that_is_changed_during_the_check_is_not_written_over() -> None:
    user = moved_in("dave", old_hash(OLD_PASSWORD, rounds=4))
    stale = User.objects.get(pk=user.pk)
    user.set_password("amber-kettle-77")
    user.save(update_fields=["password"])

    assert not stale.check_password(OLD_PASSWORD)
    assert User.objects.get(pk=user.pk).check_password("amber-kettle-77")
