"""Whom the admin's search finds."""

import pytest

from accounts.models import User
from accounts.phones import possible_numbers
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def people() -> None:
    UserFactory(username="alice", full_name="Alice Archer", phone_number="+4930123456")
    UserFactory(username="Bob.Alison", full_name="Émile O'Neil-Straße", phone_number="+12125550100")
    UserFactory(username="100_percent", full_name="x\\y 'quoted", email="Dora+shop@Example.org")
    UserFactory(username="long", full_name=f"{'㌖' * 250} Zed")


@pytest.mark.parametrize(
    ("text", "usernames"),
    [
        ("ali", ["alice"]),
        ("ALICE", ["alice"]),
        ("alice@example.org", ["alice"]),
        ("Archer Alice", ["alice"]),
        ("arch ali", ["alice"]),
        ("alice neil", []),
        ("emile", []),
        ("émi", ["Bob.Alison"]),
        ("o'neil", ["Bob.Alison"]),
        ("neil strasse", ["Bob.Alison"]),
        ("bob.a", ["Bob.Alison"]),
        ("alison", []),
        ("dora+SHOP@", ["100_percent"]),
        ("100_", ["100_percent"]),
        ("100", ["100_percent"]),
        ("10%", []),
        ("x\\y", ["100_percent"]),
        ("'quoted", ["100_percent"]),
        ("it's:* & | !", []),
        ("キロメートル", ["long"]),
        ("㌖" * 250, ["long"]),
        ("zed", ["long"]),
        ("+49 (30) 12 34 56", ["alice"]),
        ("0049-30-123456", ["alice"]),
        ("4930123", ["alice"]),
        ("030 123456", ["alice"]),
        ("030/123456", ["alice"]),
        ("(212) 555-0100", ["Bob.Alison"]),
        ("0123", []),
        ("+", []),
        ("9" * 400, []),
    ],
)
def test_what_is_typed_finds(text: str, usernames: list[str]) -> None:
    assert list(User.objects.found_by(text).values_list("username", flat=True)) == usernames


def test_an_id_finds() -> None:
    alice = User.objects.get(username="alice")

    assert alice in User.objects.found_by(f" {alice.pk} ")
    assert alice not in User.objects.found_by("9" * 19)


@pytest.mark.parametrize("text", ["", "alice", "+49 30 x", "+49", "12345", "00 1"])
def test_what_is_no_number_has_no_form(text: str) -> None:
    assert possible_numbers(text) == []
