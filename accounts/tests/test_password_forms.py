"""A password is the same password whatever Unicode form a keyboard sends it in."""

import unicodedata
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.hashers import make_password
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.test_register import register
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient

NFC = "h\u00e9lic\u00f2pt\u00e8re-42"
NFD = unicodedata.normalize("NFD", NFC)

pytestmark = pytest.mark.django_db


def log_in(client: APIClient, password: str, username: str = "dave") -> int:
    status: int = client.post("/auth/login", {"username": username, "password": password}).status_code
    return status


@pytest.mark.parametrize("typed", [NFC, NFD])
def test_either_form_logs_in(client: APIClient, typed: str) -> None:
    register(client, password=typed)

    assert [log_in(client, password) for password in (NFC, NFD, "helicoptere-42")] == [200, 200, 401]


def test_either_form_changes_the_password(client: APIClient, as_user: ApiClient, alice: User) -> None:
    alices = as_user(alice)
    for current, new in (("violet-tractor-42", NFD), (NFC, NFD + "x")):
        answer = alices.put("/auth/me/password", {"current_password": current, "new_password": new})
        assert answer.status_code == 200

    assert log_in(client, NFC + "x", "alice") == 200


def test_either_form_opens_the_admin(browser_of: Any, superuser: User) -> None:
    page = f"/admin/accounts/user/{superuser.pk}/password/"
    set_one = browser_of(superuser).post(page, {"password1": NFD, "password2": NFD, "set-password": "1"})
    logins = [
        Client().post("/admin/login/?next=/admin/", {"username": superuser.username, "password": password})
        for password in (NFC, NFD)
    ]

    assert set_one.status_code == 302
    assert [answer.status_code for answer in logins] == [302, 302]


def test_what_was_hashed_as_it_was_sent_goes_on_working_and_is_hashed_anew(
    client: APIClient, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(password=make_password(NFD))

    assert [log_in(client, password, "alice") for password in (NFC, NFD, NFC, NFD)] == [401, 200, 200, 200]


@pytest.mark.parametrize("username", ["alice", "nobody"])
@pytest.mark.parametrize(
    ("password", "hashes"), [("wrong-password", 1), (NFD, 2), (NFC, 1), ("x\u0301" * 500, 1)]
)
def test_a_wrong_password_costs_the_same_for_an_account_that_does_not_exist(
    client: APIClient, alice: User, username: str, password: str, hashes: int
) -> None:
    with patch.object(
        hashers.MD5PasswordHasher, "encode", autospec=True, side_effect=hashers.MD5PasswordHasher.encode
    ) as encode:
        assert log_in(client, password, username) == 401

    assert encode.call_count == hashes


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ("e\u0301" * 7 + "x", 201),  # 8 characters
        ("e\u0301" * 7, 400),
        ("e\u0301x" * 64, 201),  # 128
        ("e\u0301x" * 64 + "y", 400),
        ("x" * 513, 400),
    ],
)
def test_characters_are_counted_in_nfc(client: APIClient, password: str, status: int) -> None:
    answer = register(client, password=password)

    assert answer.status_code == status
    if status == 201:
        assert log_in(client, unicodedata.normalize("NFC", password)) == 200
    else:
        assert set(assert_problem(answer, 400)["errors"]) == {"password"}


def test_the_admin_takes_no_longer_password_either(browser_of: Any, superuser: User, alice: User) -> None:
    page = f"/admin/accounts/user/{alice.pk}/password/"
    long = "violet-tractor-42" * 8

    answer = browser_of(superuser).post(page, {"password1": long, "password2": long, "set-password": "1"})

    assert answer.status_code == 200
    assert "more than 128 characters" in answer.content.decode().replace("&#x27;", "'")
