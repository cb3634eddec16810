"""What is personal in the trail goes with the account, and the chain still verifies."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts.models import FailedLogin, User
from accounts.services.users import delete_user
from aimessage.audit import erasing
from aimessage.audit.chain import Broken, Link, current_head, hash_of, verify_chain
from aimessage.audit.models import Entry, Erasure
from aimessage.audit.services import append_entries, sweep
from aimessage.audit.tests.trails import by_hand, entry, trail
from tests.factories import FailedLoginFactory, ReportFactory, UserFactory

pytestmark = pytest.mark.django_db
USERS = "/admin/accounts/user/"


def holds(expected: Link | None = None) -> bool:
    list(verify_chain(current_head(), expected=expected))
    return True


def fault() -> str:
    with pytest.raises(Broken) as caught:
        holds()
    return str(caught.value)


def deletion(pk: int, **changed: object) -> Entry:
    """Appends the row that says that an account was deleted."""
    made = entry(act="user.deleted", target_id=str(pk), before={}, after={}, **changed)
    append_entries([made])
    return made


def everything() -> str:
    return str(list(Entry.objects.order_by("pk").values()))


def test_rows_by_and_about_the_account_keep_their_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "BATCH", 2)
    about = trail(
        3,
        target_id="7",
        target_label="zebulon",
        before={"email": "zeb@example.org", "is_active": True, "groups": ["helper"], "bio": None},
        after={"email": "zeb2@example.org", "last_login": "2026-01-01T00:00:00.000000+00:00"},
    )
    by = trail(2, actor_id=7, actor_name="zebulon", address="203.0.113.9")
    others = trail(2)
    kept = current_head()

    deletion(7, target_label="zebulon")

    assert "zeb" not in everything()
    assert "203.0.113.9" not in everything()
    rows = {row.pk: row for row in Entry.objects.all()}
    for was in [*about, *by, *others]:
        now = rows[was.pk]
        facts = ["created_at", "actor_id", "act", "target_kind", "target_id", "request_id", "hash"]
        assert [getattr(now, name) for name in facts] == [getattr(was, name) for name in facts]
    assert rows[1].before == {"email": "(erased)", "is_active": True, "groups": ["helper"], "bio": None}
    assert rows[1].after == {"email": "(erased)", "last_login": "2026-01-01T00:00:00.000000+00:00"}
    assert (rows[1].target_label, rows[4].actor_name) == ("Deleted user 7", "Deleted user 7")
    assert (rows[4].target_label, rows[1].actor_name) == ("bob", "root")
    assert [row.salt == was.salt for row, was in zip((rows[6], rows[7]), others, strict=True)] == [True, True]
    assert rows[8].after["rows_erased"] == 5
    assert holds(kept)


def test_a_row_that_names_somebody_else_too_is_erased_in_part() -> None:
    row = trail(
        1,
        target_kind="reports.report",
        target_label="Report 2: x",
        before={"assigned_to": "zebulon (7)", "reporter": "alice (77)", "comment": "See zebulon (7)"},
        after={"assigned_to": "bob (8)"},
    )[0]

    deletion(7)
    found = Entry.objects.get(pk=row.pk)
    assert found.before == {
        "assigned_to": "Deleted user 7",
        "reporter": "alice (77)",
        "comment": "See zebulon (7)",
    }
    assert found.after == {"assigned_to": "bob (8)"}

    deletion(8)
    deletion(77)
    deletion(1)
    found = Entry.objects.get(pk=row.pk)
    assert found.before["reporter"] == "Deleted user 77"
    assert (found.after, found.actor_name) == ({"assigned_to": "Deleted user 8"}, "Deleted user 1")
    assert Erasure.objects.filter(entry_id=row.pk).count() == 4
    assert holds()


def test_a_name_without_an_id_goes_too() -> None:
    failure = {"username": "Zebulon", "ip_address": "10.0.0.1", "locked_out": False}
    trail(1, target_kind="accounts.failedlogin", target_label="zebulon from 10.0.0.1", before=failure)
    trail(1, act="audit.exported", target_kind="", target_id="", target_label="", after={"q": "zeb"})
    trail(
        1,
        target_id="7",
        target_label="zebulon",
        sentence="Wrote to zeb@example.org.",
        before={"email": "zeb@example.org"},
    )

    deletion(7)

    assert "zeb" not in everything().lower()
    assert Entry.objects.get(pk=3).sentence == "Wrote to (erased)."
    assert holds()


def test_rows_that_come_after_the_deletion_name_nobody() -> None:
    """As one that was about to be appended while the account was deleted."""
    deletion(7)
    trail(1, target_id="7", target_label="zebulon", before={"email": "zeb@example.org"})
    trail(1, actor_id=7, actor_name="zebulon")

    assert "zeb" not in everything()
    assert holds()


def test_rows_from_before_there_was_a_salt_still_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aimessage.audit.services.new_salt", lambda: "")
    trail(3, target_id="7", target_label="zebulon")
    monkeypatch.undo()
    assert set(Entry.objects.values_list("salt", flat=True)) == {""}
    kept = current_head()

    assert holds(kept)
    deletion(7)

    assert "zebulon" not in everything()
    assert holds(kept)


def test_what_is_left_of_an_erased_row_cannot_be_changed() -> None:
    trail(3, target_id="7")
    deletion(7)
    for column, value in [
        ("sentence", "Enabled."),
        ("actor_name", "mallory"),
        ("target_id", "8"),
        ("salt", ""),
    ]:
        with transaction.atomic():
            with by_hand() as cursor:
                cursor.execute(f"UPDATE audit_entry SET {column} = %s WHERE id = 2", [value])  # noqa: S608
            assert "Row 2 was changed" in fault()
            transaction.set_rollback(True)
    assert holds()


def test_an_erasure_by_hand_is_found() -> None:
    trail(3, target_id="7")
    made = deletion(8)
    row = Entry.objects.get(pk=2)
    row.sentence = "Enabled."
    for by in (made.pk, 1, 99):
        with transaction.atomic():
            Erasure.objects.create(entry_id=2, by=by, hash=hash_of(row))
            with by_hand() as cursor:
                cursor.execute("UPDATE audit_entry SET sentence = %s WHERE id = 2", [row.sentence])
            assert "Row 2 was erased by hand" in fault()
            transaction.set_rollback(True)
    assert holds()


def test_an_erasure_that_is_undone_is_found() -> None:
    trail(1, target_id="7")
    was = Entry.objects.get()
    made = deletion(7)
    with by_hand() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE audit_erasure DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM audit_erasure")
        cursor.execute(
            "UPDATE audit_entry SET target_label = %s, target_key = %s, salt = %s, before = %s, after = %s"
            " WHERE id = 1",
            [was.target_label, was.target_key, was.salt, '{"is_active": true}', '{"is_active": false}'],
        )

    assert f"Row {made.pk} was erased by hand" in fault()


def test_the_database_lets_nothing_but_an_erasure_through() -> None:
    trail(2, target_id="7")
    deletion(7)
    for statement in (
        "UPDATE audit_entry SET sentence = 'x' WHERE id = 1",
        "UPDATE audit_entry SET salt = 'x', act = 'x' WHERE id = 1",
        "UPDATE audit_entry SET salt = 'x', actor_id = NULL WHERE id = 1",
        "UPDATE audit_entry SET salt = 'x', sentence = 'x' WHERE id = 3",
        "UPDATE audit_erasure SET hash = 'x'",
    ):
        with pytest.raises(DatabaseError, match="only appended to"), transaction.atomic():
            connection.cursor().execute(statement)
    assert holds()


def test_many_deletions_at_once_read_the_trail_once(desk: Client, superuser: User) -> None:
    users = UserFactory.create_batch(5)
    for user in users:
        desk.post(f"{USERS}{user.pk}/end-sessions/")
    form = {"action": "delete_selected", "_selected_action": [user.pk for user in users], "post": "yes"}

    assert desk.post(USERS, form).status_code == 302

    rows = list(Entry.objects.filter(act="user.deleted").order_by("pk"))
    assert len(rows) == 5
    assert {row.after["erased_by"] for row in rows} == {rows[0].pk}
    assert rows[0].after["rows_erased"] == 5
    assert Erasure.objects.values("by").distinct().count() == 1
    assert "user" not in {row.target_label[:4] for row in Entry.objects.all()}
    assert holds()


def test_a_deletion_without_a_page_is_one_row(superuser: User, bob: User) -> None:
    trail(1, target_id=str(bob.pk))
    FailedLoginFactory(typed=bob.email)

    delete_user(bob, actor=superuser)

    row = Entry.objects.get(act="user.deleted")
    assert (row.actor_name, row.after["rows_erased"]) == ("root", 1)
    assert not FailedLogin.objects.exists()
    assert holds()


def test_a_deletion_that_is_refused_erases_nothing(desk: Client, superuser: User) -> None:
    trail(1, target_id=str(superuser.pk), target_label="root")

    desk.post(f"{USERS}{superuser.pk}/delete/", {"post": "yes"})

    assert Entry.objects.get().target_label == "root"
    assert not Erasure.objects.exists()


def test_the_sweep_erases_those_who_were_deleted_before() -> None:
    trail(2, target_id="7", target_label="zebulon")
    (old,) = trail(1, target_id="7", target_label="zebulon", after={})
    last = trail(1, actor_id=7, actor_name="zebulon")[0]
    assert "zebulon" in everything()
    with by_hand() as cursor:  # what a version that erased nothing appended
        cursor.execute("UPDATE audit_entry SET act = 'user.deleted' WHERE id = %s", [old.pk])
        anew, previous = Entry.objects.get(pk=old.pk), ""
        previous = hash_of(anew)
        cursor.execute("UPDATE audit_entry SET hash = %s WHERE id = %s", [previous, old.pk])
        cursor.execute("UPDATE audit_entry SET previous_hash = %s WHERE id = %s", [previous, last.pk])
        previous = hash_of(Entry.objects.get(pk=last.pk))
        cursor.execute("UPDATE audit_entry SET hash = %s WHERE id = %s", [previous, last.pk])
        cursor.execute("UPDATE audit_head SET hash = %s", [previous])
    assert holds()
    what = "deleted accounts in the audit trail"

    assert sweep(dry_run=True) == {what: 1}
    assert sweep() == {what: 1}
    assert sweep() == {what: 0}

    assert "zebulon" not in everything()
    assert Entry.objects.latest("pk").act == "user.erased"
    assert holds()


def test_a_report_keeps_its_history(desk: Client, bob: User) -> None:
    report = ReportFactory(reporter=bob)
    desk.post(f"/admin/reports/report/{report.pk}/delete/", {"post": "yes"})
    desk.post(f"{USERS}{bob.pk}/delete/", {"post": "yes"})

    row = Entry.objects.get(act="report.deleted")
    assert row.before["reporter"] == f"Deleted user {bob.pk}"
    assert holds()
