# ruff: noqa: RUF001
"""Which usernames a new account may have; those that stand keep theirs."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.test_admin import form_of
from accounts.tests.test_register import register
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

WRONG = "A username consists of letters, digits and @ . + - _ only."
MIXED = "A username must not mix letters of different scripts."
RESERVED = "This username is reserved"


@pytest.mark.parametrize(
    "username",
    [
        "alice",
        "o.neil+x@y-z_7",
        "Łukasz",
        "नमस्ते",
        "สมชาย",
        "အောင်",
        "алиса",
        "Αλίκη",
        "张伟",
        "张wei",
        "田中たろうカナtaro",
        "김han민",
        "שרהlevi",
        "ꦲꦏ",
        "ᚠᚢᚦ",
        "২০২৬",
    ],
)
def test_a_name_in_one_script_or_beside_latin_is_taken(client: APIClient, username: str) -> None:
    answer = register(client, username=username)

    assert answer.status_code == 201
    assert answer.json()["username"] == username
    assert client.post("/auth/login", {"username": username, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    "invisible", "\u3164\u115f\u1160\uffa0\u00ad\u200b\u200c\u200d\u2060\ufeff\u034f\u17b4\ufe0f\U000e0061"
)
@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_name_with_something_invisible_is_refused(
    client: APIClient, alice: User, invisible: str, place: int
) -> None:
    answer = register(client, username="alice"[:place] + invisible + "alice"[place:])

    assert assert_problem(answer, 400)["errors"] == {"username": [WRONG]}
    assert User.objects.count() == 1


@pytest.mark.parametrize("username", ["a b", "a\tb", "a/b", "a'b", "a\u202eb", "½", "€", "a\u0000b", "☺"])
def test_other_characters_are_refused(client: APIClient, username: str) -> None:
    assert_problem(register(client, username=username), 400)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "username", ["pаypal", "Ωmega", "αlice", "аліce", "שלוםسلام", "नमस्तेไทย", "ᚠ𐌰", "алиса张", "ᚠa"]
)
def test_a_name_that_mixes_scripts_is_refused(client: APIClient, username: str) -> None:
    answer = register(client, username=username)

    assert assert_problem(answer, 400)["errors"] == {"username": [MIXED]}


@pytest.mark.parametrize(
    ("username", "length"),
    [("a" * 100, 100), ("e\u0301" * 100, 100), ("\u1112\u1161\u11ab" * 100, 100), ("\ufb03" * 33, 99)],
)
def test_the_length_counts_after_normalization(client: APIClient, username: str, length: int) -> None:
    answer = register(client, username=username)

    assert answer.status_code == 201
    assert len(answer.json()["username"]) == length


@pytest.mark.parametrize("username", ["a" * 101, "e\u0301" * 101, "\ufb03" * 34, "a" * 401, "\u3164" * 500])
def test_a_longer_one_is_refused(client: APIClient, username: str) -> None:
    answer = register(client, username=username)

    message = "Ensure this field has no more than 100 characters."
    assert message in assert_problem(answer, 400)["errors"]["username"]


@pytest.mark.parametrize(
    "username",
    [
        *("admin", "ADMIN", "Administrator", "moderator", "root", "Support", "system"),
        *("\uff41dmin", "аdmin", "ѕуѕтем", "r00t", "rооt", "adm1n", "ADMlN", "supp0rt", "rnoderator"),
    ],
)
def test_a_reserved_name_is_refused_in_whatever_case_and_look(client: APIClient, username: str) -> None:
    answer = register(client, username=username)

    assert assert_problem(answer, 400)["errors"]["username"][0] == RESERVED
    assert not User.objects.exists()


def test_the_setting_says_which_are_reserved(client: APIClient, settings: Settings) -> None:
    settings.RESERVED_NAMES = ["Поддержка", "help"]

    answers = {name: register(client, username=name) for name in ("поддержка", "HELP", "admin")}

    assert [answer.status_code for answer in answers.values()] == [400, 400, 201]


def test_the_admin_and_the_command_may_use_a_reserved_name(browser_of: Any, superuser: User) -> None:
    call_command(
        "createsuperuser", username="System", email="sys@example.org", interactive=False, stdout=StringIO()
    )
    fields = {"username": "support", "email": "s@example.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = browser_of(superuser).post("/admin/accounts/user/add/", fields)

    assert answer.status_code == 302
    assert set(User.objects.values_list("username", flat=True)) >= {"System", "support"}


@pytest.mark.parametrize("username", ["ad min", "pаypal", "alice\u00ad", "admin", "o'neil"])
def test_an_account_that_stands_keeps_its_name(
    client: APIClient, as_user: ApiClient, browser_of: Any, superuser: User, username: str
) -> None:
    user = UserFactory(username=username, email="kept@example.org", full_name="Kim")

    login = client.post("/auth/login", {"username": username.upper(), "password": PASSWORD})
    profile = as_user(user).put("/auth/me", {"bio": "Bakes."})
    page = f"/admin/accounts/user/{user.pk}/change/"
    saved = browser_of(superuser).post(page, form_of(user, bio="Bakes.", full_name="Kim Kent"))

    assert (login.status_code, profile.status_code, saved.status_code) == (200, 200, 302)
    user.refresh_from_db()
    assert (user.username, user.full_name) == (username, "Kim Kent")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ali\u202ece\u0007", "Alice"),
        ("\u2066Bob\u2069 \u200fBaker\x1b[31m", "Bob Baker[31m"),
        ("Ann\u2028Lee\r\n", "AnnLee"),
        ("नमस्\u200dते", "नमस्\u200dते"),
        ("\u202e\u0000".replace("\u0000", "\u0001"), None),
    ],
)
def test_a_full_name_loses_control_and_bidi_characters(
    client: APIClient, as_user: ApiClient, browser_of: Any, superuser: User, given: str, kept: str | None
) -> None:
    registered = register(client, full_name=given)
    dave = User.objects.get(username="dave")
    as_user(dave).put("/auth/me", {"full_name": "Dave"})
    changed = as_user(dave).put("/auth/me", {"full_name": given})
    fields = {"username": "erin", "email": "e@example.org", "password1": PASSWORD, "password2": PASSWORD}
    browser_of(superuser).post("/admin/accounts/user/add/", {**fields, "full_name": given})

    assert (registered.status_code, changed.status_code) == (201, 200)
    assert registered.json()["full_name"] == changed.json()["full_name"] == kept
    assert User.objects.get(username="erin").full_name == kept
