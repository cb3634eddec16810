"""`manage.py verify_audit`, and every way to tamper that it finds."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone as django_timezone
from pytest_django import DjangoAssertNumQueries

from aimessage.audit import chain
from aimessage.audit.chain import FIRST_PREVIOUS, current_head, hash_of
from aimessage.audit.models import Entry, Head
from aimessage.audit.tests.trails import by_hand, entry, insert, trail

pytestmark = pytest.mark.django_db


def verify(*arguments: str) -> str:
    said = StringIO()
    call_command("verify_audit", *arguments, stdout=said, stderr=StringIO())
    return said.getvalue().strip()


def complaint(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        verify(*arguments)
    assert caught.value.returncode == 1
    return str(caught.value)


def rehash(number: int) -> str:
    """Computes a row's hash anew, as somebody does who covers his tracks."""
    row = Entry.objects.get(pk=number)
    with by_hand() as cursor:
        cursor.execute("UPDATE audit_entry SET hash = %s WHERE id = %s", [hash_of(row), number])
    return hash_of(row)


def test_an_empty_trail_holds() -> None:
    assert verify() == f"0 rows hold. Head: 0:{FIRST_PREVIOUS}"


def test_a_trail_holds_and_its_head_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BATCH", 3)
    rows = trail(10)

    assert verify() == f"10 rows hold. Head: 10:{rows[-1].hash}"
    assert verify("--expect", f"4:{rows[3].hash}").startswith("10 rows hold.")


def test_a_hash_can_be_computed_by_others() -> None:
    """The serialization is what other tools rely on; see docs/operations.md."""
    (row,) = trail(1, target_label="Zoë", before={"b": 1, "a": None}, actor_id=None)
    stored = Entry.objects.get()

    values = {
        "id": 1, "actor_id": None, "actor_name": "root", "actor_key": "root", "act": "user.disabled",
        "sentence": "Disabled.", "target_kind": "accounts.user", "target_id": "2", "target_label": "Zoë",
        "target_key": "zoë", "address": "127.0.0.1", "request_id": "req", "before": {"a": None, "b": 1},
        "after": {"is_active": False}, "previous_hash": "0" * 64, "salt": row.salt,
        "created_at": stored.created_at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
    }  # fmt: skip
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert stored.hash == row.hash == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize("microsecond", [0, 1, 120_000, 999_999])
def test_times_survive_the_database_to_the_microsecond(
    monkeypatch: pytest.MonkeyPatch, microsecond: int
) -> None:
    now = datetime(2026, 3, 29, 2, 30, 0, microsecond, timezone(timedelta(hours=2)))
    monkeypatch.setattr(django_timezone, "now", lambda: now)

    trail(1)

    assert Entry.objects.get().created_at == now.astimezone(UTC)
    assert verify().startswith("1 row holds.")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sentence", "Enabled."),
        ("act", "user.enabled"),
        ("actor_id", 7),
        ("actor_name", "mallory"),
        ("actor_key", "mallory"),
        ("target_kind", "accounts.role"),
        ("target_id", "3"),
        ("target_label", "alice"),
        ("target_key", "alice"),
        ("address", "10.0.0.1"),
        ("request_id", "other"),
        ("before", '{"is_active": false}'),
        ("after", "{}"),
        ("created_at", "2026-01-01 00:00:00"),
        ("previous_hash", "f" * 64),
        ("hash", "f" * 64),
        ("salt", "f" * 32),
    ],
)
def test_a_changed_column_is_found(column: str, value: object) -> None:
    trail(5)
    with by_hand() as cursor:
        cursor.execute(f"UPDATE audit_entry SET {column} = %s WHERE id = 3", [value])  # noqa: S608

    assert "Row 3 was changed" in complaint()


def test_every_column_is_tried_above() -> None:
    tried = {argument[0] for argument in test_a_changed_column_is_found.pytestmark[0].args[1]}

    assert tried == {field.column for field in Entry._meta.concrete_fields} - {"id"}


def test_a_removed_row_is_found() -> None:
    trail(5)
    with by_hand() as cursor:
        cursor.execute("DELETE FROM audit_entry WHERE id = 3")

    assert "Row 3 was removed" in complaint()


@pytest.mark.parametrize("first", [1, 4])
def test_a_tail_that_was_cut_off_is_found(first: int) -> None:
    trail(5)
    with by_hand() as cursor:
        cursor.execute("DELETE FROM audit_entry WHERE id >= %s", [first])

    assert f"Row {first} was removed" in complaint()


@pytest.mark.parametrize("number", [0, -1, 6, 99])
def test_a_row_that_was_inserted_is_found(number: int) -> None:
    last = trail(5)[-1]
    made = entry(pk=number, previous_hash=last.hash, created_at=last.created_at)
    made.hash = hash_of(made)
    insert(made)

    assert f"Row {number} was inserted by hand" in complaint()


def test_a_row_that_was_put_in_the_place_of_another_is_found() -> None:
    rows = trail(5)
    with by_hand() as cursor:
        cursor.execute("DELETE FROM audit_entry WHERE id = 3")
    insert(entry(pk=3, previous_hash=rows[1].hash, hash=rows[2].hash))

    assert "Row 3 was changed or inserted by hand" in complaint()


def test_a_row_whose_hash_was_computed_anew_is_found() -> None:
    trail(5)
    with by_hand() as cursor:
        cursor.execute("UPDATE audit_entry SET sentence = 'Enabled.' WHERE id = 3")
    rehash(3)

    assert "Row 3 was changed, and its hash with it" in complaint()


def test_a_last_row_whose_hash_was_computed_anew_is_found() -> None:
    trail(5)
    with by_hand() as cursor:
        cursor.execute("UPDATE audit_entry SET sentence = 'Enabled.' WHERE id = 5")
    rehash(5)

    assert "Row 5 was changed, and its hash with it" in complaint()


def test_rows_that_changed_places_are_found() -> None:
    trail(5)
    with by_hand() as cursor:
        for old, new in [(3, 99), (4, 3), (99, 4)]:
            cursor.execute("UPDATE audit_entry SET id = %s WHERE id = %s", [new, old])

    assert "Row 3 was changed" in complaint()


def compute_anew() -> None:
    """Changes row 3 and computes every hash from there on, the head's included."""
    with by_hand() as cursor:
        cursor.execute("UPDATE audit_entry SET sentence = 'Enabled.' WHERE id = 3")
    last = rehash(3)
    for number in (4, 5):
        with by_hand() as cursor:
            cursor.execute("UPDATE audit_entry SET previous_hash = %s WHERE id = %s", [last, number])
        last = rehash(number)
    Head.objects.update(hash=last)


def test_a_chain_computed_anew_is_found_by_a_head_that_was_kept() -> None:
    trail(5)
    kept = current_head()
    compute_anew()

    assert verify().startswith("5 rows hold.")
    assert f"Row 5 has the hash {current_head().hash}, not the expected" in complaint("--expect", str(kept))


def test_a_trail_that_is_shorter_than_the_kept_head_is_found() -> None:
    rows = trail(5)
    with by_hand() as cursor:
        cursor.execute("DELETE FROM audit_entry WHERE id > 3")
    Head.objects.update(number=3, hash=rows[2].hash)

    assert verify().startswith("3 rows hold.")
    assert "Row 4 was removed" in complaint("--expect", f"5:{rows[4].hash}")


@pytest.mark.parametrize(
    "text", ["", "5", "5:abc", "x:" + "0" * 64, "-1:" + "0" * 64, "9" * 19 + ":" + "0" * 64]
)
def test_a_head_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="NUMBER:HASH is required"):
        verify(f"--expect={text}")


def test_rows_are_read_in_batches(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail(20)
    monkeypatch.setattr(chain, "BATCH", 10)

    # the head; the newest row, the head again, rows below 1; two batches; the rows that erased others
    with django_assert_num_queries(7):
        verify()
