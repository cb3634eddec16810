"""What the rows of the trail say."""

import pytest
from django.test import Client

from accounts.models import Session, User
from aimessage.audit.models import Entry
from aimessage.audit.states import difference, state_of
from reports.services import file_report
from tests.factories import MessageFactory, ReportFactory, SessionFactory

USERS = "/admin/accounts/user/"


def test_a_row_says_who_did_what_on_whom_from_where_and_what_changed(
    desk: Client, superuser: User, bob: User
) -> None:
    SessionFactory(user=bob)

    desk.post(USERS, {"action": "disable", "_selected_action": [bob.pk], "confirmed": "yes"})

    entry = Entry.objects.get()
    assert (entry.actor_id, entry.actor_name) == (superuser.pk, "root")
    assert (entry.act, entry.sentence) == ("user.disabled", "Disabled.")
    assert (entry.target_kind, entry.target_id, entry.target_label) == ("accounts.user", str(bob.pk), "bob")
    assert (entry.address, entry.request_id) == ("127.0.0.1", "req-1")
    assert entry.before == {"is_active": True, "live_sessions": 1}
    assert entry.after == {"is_active": False, "live_sessions": 0}
    assert not Session.objects.live().exists()


def test_a_refused_act_leaves_no_row(desk: Client, superuser: User, bob: User) -> None:
    asked = {"action": "disable", "_selected_action": [superuser.pk, bob.pk]}
    page = desk.post(USERS, {**asked, "confirmed": "yes"}, follow=True)

    assert "You cannot disable yourself" in page.content.decode()
    assert [entry.target_label for entry in Entry.objects.all()] == ["bob"]


@pytest.fixture
def _full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("aimessage.audit.acting.append_entries", fail)


@pytest.mark.usefixtures("_full_disk")
def test_an_act_whose_row_cannot_be_written_is_undone(desk: Client, bob: User) -> None:
    desk.raise_request_exception = False

    answer = desk.post(USERS, {"action": "disable", "_selected_action": [bob.pk], "confirmed": "yes"})

    assert answer.status_code == 500
    bob.refresh_from_db()
    assert bob.is_active


def test_a_conversation_is_not_shown_unless_the_look_is_a_row(
    request: pytest.FixtureRequest, desk: Client, alice: User, bob: User
) -> None:
    message = MessageFactory(sender=bob, recipient=alice, content="This is between the two of us.")
    report, _ = file_report(alice, title="t", content="c", message_id=message.pk)
    desk.raise_request_exception = False
    url = f"/admin/reports/report/{report.pk}/change/"

    assert "between the two of us" in desk.get(url).content.decode()
    entry = Entry.objects.get()
    assert (entry.act, entry.target_label) == ("conversation.read", str(report))
    assert entry.after == {"conversation": message.conversation_id, "message": message.pk}

    request.getfixturevalue("_full_disk")
    answer = desk.get(url)
    assert answer.status_code == 500
    assert "between the two of us" not in answer.content.decode()


def test_saving_without_a_change_is_a_row_too(desk: Client, alice: User) -> None:
    report = ReportFactory(reporter=alice)
    initial = {"initial-status": "open", "initial-comment": ""}

    desk.post(f"/admin/reports/report/{report.pk}/change/", {**initial, "status": "open", "comment": ""})

    entry = Entry.objects.get()
    assert (entry.act, entry.sentence) == ("report.changed", "No fields changed.")
    assert (entry.before, entry.after) == ({}, {})


def test_free_text_and_secrets_are_only_said_to_have_changed(superuser: User, alice: User) -> None:
    report = ReportFactory(reporter=alice, content="What I say in confidence.")
    before = state_of(report, texts=["comment"])
    report.content, report.comment, report.idempotency_key = "Changed.", "Seen.", "a-key"

    was, now = difference(before, state_of(report, texts=["comment"]))

    assert was == {"content": "(not shown)", "idempotency_key": "(not shown)", "comment": None}
    assert now == {"content": "(changed)", "idempotency_key": "(changed)", "comment": "Seen."}
    gone, _ = difference(before, {})
    assert "content" not in gone
    assert "password" not in difference(state_of(superuser), {})[0]
    assert "name_words" not in difference(state_of(superuser), {})[0]
