"""The real hashing, which the other tests do without: it is slow by intent."""

from time import thread_time

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.settings import PASSWORD_HASHERS

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LONG = "correct-horse-battery-staple-" * 3  # 87 bytes


@pytest.fixture(autouse=True)
def real_hashers(_fast_and_unlimited: None, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS


def register(client: APIClient, name: str, password: str) -> User:
    answer = client.post(
        "/auth/register", {"username": name, "email": f"{name}@example.org", "password": password}
    )
    assert answer.status_code == 201
    return User.objects.get(pk=answer.json()["id"])


def test_passwords_that_differ_after_byte_72_differ(client: APIClient) -> None:
    register(client, "dave", LONG)

    wrong = client.post("/auth/login", {"username": "dave", "password": LONG[:80] + "x"})
    right = client.post("/auth/login", {"username": "dave", "password": LONG})

    assert (wrong.status_code, right.status_code) == (401, 200)


def test_a_password_is_hashed_with_salted_bcrypt_over_sha256(client: APIClient) -> None:
    hashes = [register(client, name, LONG).password for name in ("dave", "erin")]

    assert all(one.startswith("bcrypt_sha256$$2b$12$") for one in hashes)
    assert hashes[0] != hashes[1]
    assert LONG not in "".join(hashes)


def test_unknown_user_and_wrong_password_take_the_same_time(client: APIClient) -> None:
    """Both run the hasher once; what that costs is then equal, whatever the machine."""
    register(client, "dave", LONG)

    def cost(name: str) -> float:
        begin = thread_time()
        assert client.post("/auth/login", {"username": name, "password": "wrong-one-1"}).status_code == 401
        return thread_time() - begin

    assert cost("nobody") > cost("dave") / 2
    assert cost("dave") > cost("nobody") / 2
