from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.tests.asserts import assert_problem

USER_KEYS = {
    "id",
    "username",
    "email",
    "full_name",
    "bio",
    "phone_number",
    "is_active",
    "is_superuser",
    "created_at",
    "updated_at",
}
DAVE = {"username": "dave", "email": "dave@example.org", "password": "violet-tractor-42"}

pytestmark = pytest.mark.django_db


def register(client: APIClient, **fields: Any) -> Any:
    return client.post("/auth/register", {**DAVE, **fields})


def test_it_creates_the_account(client: APIClient) -> None:
    answer = register(client, full_name="Dave Dole", phone_number="+49 30 123456")

    user = User.objects.get()
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == USER_KEYS
    assert body["id"] == user.pk
    assert (body["username"], body["email"]) == ("dave", "dave@example.org")
    assert (body["full_name"], body["phone_number"]) == ("Dave Dole", "+4930123456")
    assert (body["is_active"], body["is_superuser"], body["bio"]) == (True, False, None)
    assert (user.username, user.full_name, user.phone_number) == ("dave", "Dave Dole", "+4930123456")
    assert user.check_password(DAVE["password"])
    assert not user.is_staff
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("absent", [None, "", "  "])
def test_an_optional_field_left_empty_is_null(client: APIClient, absent: str | None) -> None:
    answer = register(client, full_name=absent, phone_number=absent)

    assert answer.status_code == 201
    assert (answer.json()["full_name"], answer.json()["phone_number"]) == (None, None)
    user = User.objects.get()
    assert (user.full_name, user.phone_number) == (None, None)


def test_two_accounts_without_a_phone_number_can_stand_side_by_side(client: APIClient) -> None:
    assert register(client).status_code == 201
    assert register(client, username="erin", email="erin@example.org").status_code == 201


def test_it_ignores_every_other_field(client: APIClient) -> None:
    answer = register(client, is_superuser=True, is_staff=True, is_active=False, id=77, bio="x", what=[1])

    user = User.objects.get()
    assert answer.status_code == 201
    assert (user.is_superuser, user.is_staff, user.is_active, user.bio) == (False, False, True, None)
    assert user.pk != 77


@pytest.mark.parametrize("username", ["alice", "ALICE", "\uff41lice"])
def test_a_taken_username_is_refused_whatever_its_case(client: APIClient, alice: User, username: str) -> None:
    answer = register(client, username=username)

    body = assert_problem(answer, 400, "Username already registered")
    assert body["errors"] == {"username": ["Username already registered"]}
    assert User.objects.count() == 1


@pytest.mark.parametrize("email", ["alice@example.org", "Alice@Example.ORG"])
def test_a_taken_email_is_refused_whatever_its_case(client: APIClient, alice: User, email: str) -> None:
    answer = register(client, email=email)

    body = assert_problem(answer, 400, "Email already registered")
    assert body["errors"] == {"email": ["Email already registered"]}
    assert User.objects.count() == 1


def test_a_taken_phone_number_is_refused_in_whatever_form(client: APIClient) -> None:
    assert register(client, phone_number="+4930123456").status_code == 201

    answer = register(client, username="erin", email="erin@example.org", phone_number="0049 (30) 123456")

    body = assert_problem(answer, 400, "Phone number already registered")
    assert set(body["errors"]) == {"phone_number"}
    assert User.objects.count() == 1


def test_of_several_that_are_taken_it_names_the_first(client: APIClient) -> None:
    """On every database: sending the same registration twice is about the username."""
    register(client, phone_number="+49 30 123456")

    again = register(client, phone_number="+49 30 123456")
    renamed = register(client, phone_number="+49 30 123456", username="erin")

    assert_problem(again, 400, "Username already registered")
    assert_problem(renamed, 400, "Email already registered")


@pytest.mark.parametrize("username", ["a", "7", "a.b@c+d-e_f", "Žofie", "лена", "x" * 100])
def test_a_username_consists_of_letters_digits_and_five_signs(client: APIClient, username: str) -> None:
    assert register(client, username=username).json()["username"] == username


def test_a_username_is_kept_in_its_nfkc_form(client: APIClient) -> None:
    answer = register(client, username="\uff44\u0061\u0301ve")  # a fullwidth d, an a with a combining accent

    assert answer.json()["username"] == "d\u00e1ve"
    assert User.objects.get().username == "d\u00e1ve"


@pytest.mark.parametrize(
    "username",
    ["", " ", " a", "a ", "a\n", "a b", "a/b", "a\nb", "a#", "<b>", "x" * 101, "a\u202eb", "\u2122 x"],
)
def test_any_other_username_is_refused(client: APIClient, username: str) -> None:
    body = assert_problem(register(client, username=username), 400)

    assert set(body["errors"]) == {"username"}
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "email", ["", "dave", "dave@", "@example.org", "a b@example.org", "d" * 250 + "@e.org"]
)
def test_what_is_no_email_or_too_long_a_one_is_refused(client: APIClient, email: str) -> None:
    body = assert_problem(register(client, email=email), 400)

    assert set(body["errors"]) == {"email"}
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password",
    ["short-7", "x9-" * 43, "password1", "92847561038", "dave-dole", "dave@example.org", ""],
    ids=["7 characters", "129", "common", "only digits", "like the name", "like the email", "none"],
)
def test_a_weak_password_is_refused(client: APIClient, password: str) -> None:
    body = assert_problem(register(client, full_name="Dave Dole", password=password), 400)

    assert set(body["errors"]) == {"password"}
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["tr4ctor!", "w7-" * 42 + "zz", "  spaces around  ", "пароль-дня"])
def test_a_password_has_8_to_128_characters_and_every_one_counts(client: APIClient, password: str) -> None:
    assert register(client, password=password).status_code == 201
    assert User.objects.get().check_password(password)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("+4930123456", "+4930123456"),
        ("+49 (30) 123-456", "+4930123456"),
        ("0049 30 123456", "+4930123456"),
        ("tel:+49-30-123456", "+4930123456"),
        ("+1 650-253-0000", "+16502530000"),
        ("\uff0b49 30 123456", "+4930123456"),
    ],
)
def test_a_phone_number_is_stored_as_e164(client: APIClient, given: str, stored: str) -> None:
    assert register(client, phone_number=given).json()["phone_number"] == stored
    assert User.objects.get().phone_number == stored


@pytest.mark.parametrize(
    "number", ["030 123456", "+49", "+49 1", "hello", "+999 123456", "+1" * 40, "+49" + "1" * 300]
)
def test_what_is_no_possible_phone_number_is_refused(client: APIClient, number: str) -> None:
    body = assert_problem(register(client, phone_number=number), 400)

    assert set(body["errors"]) == {"phone_number"}
    assert not User.objects.exists()


@pytest.mark.parametrize("field", ["username", "email", "password", "full_name", "phone_number"])
@pytest.mark.parametrize("value", [True, 12345678, 2.7, ["dave"], {"a": "b"}])
def test_a_field_of_a_wrong_type_is_refused(client: APIClient, field: str, value: Any) -> None:
    body = assert_problem(register(client, **{field: value}), 400)

    assert set(body["errors"]) == {field}
    assert not User.objects.exists()


@pytest.mark.parametrize("field", ["username", "email", "password"])
def test_null_is_no_value_for_what_is_required(client: APIClient, field: str) -> None:
    assert set(assert_problem(register(client, **{field: None}), 400)["errors"]) == {field}


def test_everything_missing_is_named_and_the_headline_says_which_is_first(client: APIClient) -> None:
    body = assert_problem(client.post("/auth/register", {}), 400, "username: This field is required.")

    assert body["errors"] == {name: ["This field is required."] for name in ("username", "email", "password")}


def test_a_full_name_of_more_than_255_characters_is_refused(client: APIClient) -> None:
    assert set(assert_problem(register(client, full_name="x" * 256), 400)["errors"]) == {"full_name"}
    assert register(client, full_name="x" * 255).status_code == 201
