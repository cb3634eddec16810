from time import process_time
from typing import Any

import pytest
from django.core.management import CommandError
from django.utils import timezone

from accounts.models import User
from operations.legacy_import.models import Finding
from operations.legacy_import.tests.conftest import MoveIn, found
from operations.legacy_import.tests.old_backend import HASH, NOON, OldBackend


def test_an_account_arrives_as_it_was(old: OldBackend, move_in: MoveIn) -> None:
    old.user(
        7,
        "Dave.Ö",
        email="Dave@Example.ORG",
        full_name="Dave Dunn",
        bio="Two\nlines",
        phone_number="+49 30 123456",
        is_active=False,
        is_superuser=True,
        created_at="2025-01-02 03:04:05.678901",
        updated_at="2025-02-02 03:04:05",
    )

    move_in(old)

    user = User.objects.get()
    assert (user.pk, user.username, user.username_key) == (7, "Dave.Ö", "dave.ö")
    assert (user.email, user.email_key) == ("Dave@example.org", "dave@example.org")
    assert (user.full_name, user.name_words, user.bio) == ("Dave Dunn", " dave dunn", "Two\nlines")
    assert user.phone_number == "+4930123456"
    assert (user.is_active, user.is_superuser, user.is_staff) == (False, True, True)
    assert user.password == f"bcrypt${HASH}"
    assert f"{user.created_at:%F %T.%f %z}" == "2025-01-02 03:04:05.678901 +0000"
    assert f"{user.updated_at:%F %T.%f %z}" == "2025-02-02 03:04:05.000000 +0000"
    assert not Finding.objects.exists()


def test_new_accounts_get_ids_above_all_that_were_given(old: OldBackend, move_in: MoveIn) -> None:
    """Also above those of deleted ones: who got such an id would stand in a dead one's conversations."""
    old.user(3)
    old.user(5)
    old.message(1, 3, 60)
    old.message(2, 70, 3)

    move_in(old)

    assert User.objects.create_user("new", "new@example.org", "x").pk == 71


@pytest.mark.parametrize(
    ("given", "expected", "reason"),
    [
        ({"username": "two words"}, {"username": "two words"}, "username kept, though"),
        ({"username": "  bob "}, {"username": "bob"}, None),
        ({"username": "\uff22ob"}, {"username": "Bob"}, None),
        ({"username": "b\0ob"}, {"username": "bob"}, "username rid of what is no text"),
        ({"username": 17}, {"username": "17"}, None),
        ({"username": b"bob"}, {"username": "bob"}, "username rid of what is no text"),
        ({"email": "nonsense"}, {"email": "nonsense"}, "e-mail address kept, though"),
        ({"full_name": ""}, {"full_name": None}, None),
        ({"full_name": "n" * 300}, {"full_name": "n" * 255}, "full_name cut"),
        ({"full_name": b"Ren\xe9"}, {"full_name": "Ren\ufffd"}, "full_name rid of"),
        ({"bio": "a\0b"}, {"bio": "ab"}, "bio rid of"),
        ({"phone_number": ""}, {"phone_number": None}, None),
        ({"phone_number": "030 123456"}, {"phone_number": None}, "it is no international one"),
        ({"phone_number": "0049 30 123456"}, {"phone_number": "+4930123456"}, None),
        ({"phone_number": "+49 171 1234567 (Axel)"}, {"phone_number": None}, "it is no international one"),
        ({"phone_number": "+49 30 12345O"}, {"phone_number": None}, "it is no international one"),
        ({"phone_number": "+49 30 123456 ext. 5"}, {"phone_number": None}, "it is no international one"),
        ({"phone_number": "+49 171 1, +49 30 2"}, {"phone_number": None}, "it is no international one"),
        ({"full_name": "Ali\u202ece"}, {"full_name": "Alice"}, "full_name rid of control characters"),
        ({"username": "alice\u00ad"}, {"username": "alice\u00ad"}, "username kept, though"),
        ({"username": "नमस्ते"}, {"username": "नमस्ते", "kind": "person"}, None),
        ({"is_active": None}, {"is_active": False}, "is_active taken as no"),
        ({"is_active": "true"}, {"is_active": True}, None),
        ({"is_superuser": None}, {"is_superuser": False, "is_staff": False}, None),
        ({"is_superuser": "1"}, {"is_superuser": True, "is_staff": True}, None),
    ],
)
def test_odd_cells(
    loose: OldBackend, move_in: MoveIn, given: dict[str, Any], expected: dict[str, Any], reason: str | None
) -> None:
    loose.user(1, **given)

    move_in(loose)

    user = User.objects.get(pk=1)
    assert {name: getattr(user, name) for name in expected} == expected
    said = found("users", 1)
    assert len(said) == (reason is not None)
    assert all(reason in line for line in said if reason)


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        None,
        "plain",
        "$1$abc$def",
        "pbkdf2_sha256$1$x$y",
        HASH[:-1],
        HASH.replace("$04$", "$31$"),
        b"\xff",
    ],
)
def test_a_hash_that_is_no_bcrypt_opens_nothing(loose: OldBackend, move_in: MoveIn, encoded: Any) -> None:
    loose.user(1, hashed_password=encoded)

    move_in(loose)

    user = User.objects.get(pk=1)
    assert not user.has_usable_password()
    assert "password lost" in found("users", 1)[0]


@pytest.mark.parametrize("cost", ["13", "14", "16", "31"])
def test_a_hash_that_costs_more_than_ours_opens_nothing(
    loose: OldBackend, move_in: MoveIn, cost: str
) -> None:
    loose.user(1, hashed_password=f"$2b${cost}{HASH[6:]}")
    loose.user(2, hashed_password=f"$2b$12{HASH[6:]}")

    move_in(loose)

    assert not User.objects.get(pk=1).has_usable_password()
    assert User.objects.get(pk=2).password == f"bcrypt$$2b$12{HASH[6:]}"
    assert "password lost: its hash costs more than 2^12" in found("users", 1)[0]
    assert found("users", 2) == []


def test_times_that_are_missing_or_to_come(loose: OldBackend, move_in: MoveIn) -> None:
    loose.user(1)
    loose.user(2, created_at=None, updated_at=None)
    loose.user(3, created_at=None, updated_at="2025-04-01 00:00:00")
    loose.user(4, created_at="2999-01-01 00:00:00", updated_at="2999-01-01 00:00:00")
    loose.user(5, created_at="2025-03-01 12:00:00", updated_at="2024-03-01 12:00:00")
    loose.user(6, created_at="2025-03-01 12:00:00.000100", updated_at="2025-03-01 12:00:00.000900")

    move_in(loose)

    users = {user.pk: user for user in User.objects.all()}
    assert f"{users[2].created_at:%F %T.%f}" == NOON
    assert f"{users[3].created_at:%F}" == "2025-04-01"
    assert users[4].created_at <= timezone.now()
    for pk in (2, 3, 4, 5, 6):
        assert users[pk].updated_at == users[pk].created_at
    assert "guessed" in found("users", 2)[0]
    assert "future" in found("users", 4)[0]
    assert not found("users", 6)


def test_two_of_one_phone_number(old: OldBackend, move_in: MoveIn) -> None:
    old.user(1, phone_number="+49 30 123456")
    old.user(2, phone_number="+4930123456")

    move_in(old)

    assert [user.phone_number for user in User.objects.order_by("pk")] == ["+4930123456", None]
    assert found("users", 2) == ["changed: phone number left out: an earlier account has it"]


def clash(old: OldBackend) -> None:
    old.user(1, "bob", email="bob@example.org")
    old.user(2, "BOB", email="b.o.b@example.org")
    old.user(3, "Straße", email="Bob@Example.org")
    old.user(4, "STRASSE", email="four@example.org")
    old.user(5, "bob-2", email="bob+3@example.org")
    old.message(1, 1, 2)


def test_names_that_differ_by_case_alone_stop_the_import(old: OldBackend, move_in: MoveIn) -> None:
    clash(old)

    with pytest.raises(CommandError, match=r"3 account.s. cannot be.*--rename-duplicates.*Nothing was"):
        move_in(old)

    assert not User.objects.exists()
    said = move_in(old, refuses=True, dry_run=True)
    assert "users 2: username is another account's, but for its case (account 1)" in said
    assert "users 3: e-mail address is another account's, but for its case (account 1)" in said
    assert "users 4: username is another account's, but for its case (account 3)" in said


def test_duplicates_can_be_renamed(old: OldBackend, move_in: MoveIn) -> None:
    clash(old)

    move_in(old, rename_duplicates=True)

    assert dict(User.objects.values_list("pk", "username")) == {
        1: "bob",
        2: "BOB-2-2",  # bob-2 is somebody else
        3: "Straße",
        4: "STRASSE-4",
        5: "bob-2",
    }
    assert User.objects.get(pk=3).email == "Bob+3-2@example.org"
    assert found("users", 2) == ["changed: username replaced"]
    assert not found("users", 5)


def test_duplicates_can_be_left_out(old: OldBackend, move_in: MoveIn) -> None:
    clash(old)

    said = move_in(old, refuses=True, leave_out_accounts=True)

    assert set(User.objects.values_list("pk", flat=True)) == {1, 5}
    assert found("messages", 1) == ["changed: its recipient is no account any more: shown as deleted"]
    assert "3 row(s) were not taken" in said


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"username": ""}, {"username": "user-9"}),
        ({"username": None}, {"username": "user-9"}),
        ({"username": " \0"}, {"username": "user-9"}),
        ({"username": "n" * 101}, {"username": "user-9"}),
        ({"email": None}, {"email": "user-9@missing.invalid"}),
        ({"email": " "}, {"email": "user-9@missing.invalid"}),
        ({"email": "e" * 250 + "@example.org"}, {"email": "user-9@missing.invalid"}),
    ],
)
def test_an_account_without_a_name_or_an_address(
    loose: OldBackend, move_in: MoveIn, given: dict[str, Any], expected: dict[str, str]
) -> None:
    loose.user(9, **given)

    with pytest.raises(CommandError, match="1 account"):
        move_in(loose)
    move_in(loose, rename_duplicates=True)

    user = User.objects.get(pk=9)
    assert {name: getattr(user, name) for name in expected} == expected


def test_both_ways_with_duplicates_are_one_too_many(old: OldBackend, move_in: MoveIn) -> None:
    with pytest.raises(CommandError, match="not both"):
        move_in(old, rename_duplicates=True, leave_out_accounts=True)


def test_a_row_without_a_number_for_an_id(tmp_path: Any, move_in: MoveIn) -> None:
    old = OldBackend(f"sqlite:///{tmp_path}/old.sqlite3", loose=True, without=["users"])
    old.execute("CREATE TABLE users (id, username, email, hashed_password)")
    for pk in (None, "x", "7", 7.5, 0, -3, 2**53, 2**63 - 1, 8, 8):
        old.execute("INSERT INTO users VALUES (?, ?, ?, ?)", pk, f"u{pk}", f"u{pk}@example.org", HASH)

    said = move_in(old, refuses=True, dry_run=True, leave_out_accounts=True)
    assert "users x: its id is no number" in said
    assert "users null: its id is no number" in said

    move_in(old, refuses=True, leave_out_accounts=True)
    assert list(User.objects.values_list("pk", "username", "is_active")) == [(8, "u8", True)]
    assert Finding.objects.filter(table="users", outcome="refused").count() == 9
    assert "refused: another row has its id" in found("users", 8)
    assert User.objects.create_user("new", "new@example.org", "x").pk == 9
    old.close()


def test_a_username_of_nothing_but_marks_is_bounded_before_it_is_normalised(
    loose: OldBackend, move_in: MoveIn
) -> None:
    loose.user(1, username="a" + "\u0301\u0316" * 50_000)
    started = process_time()

    with pytest.raises(CommandError, match="cannot be taken"):
        move_in(loose)

    assert process_time() - started < 5
    assert not User.objects.exists()
