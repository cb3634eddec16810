"""What the services about reports refuse, write and leave alone, to the letter."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from time_machine import TimeMachineFixture

from accounts.models import User
from aimessage.api.idempotency import IdempotencyKey
from aimessage.api.problems import Conflict, Forbidden, Invalid, NotFound
from aimessage.server.tests.scraping import Change
from aimessage.tests.asserts import refused
from conftest import ApiClient
from messaging.models import Message
from reports import services
from reports.models import Report
from reports.services import (
    claim_report,
    disable_sender,
    end_senders_sessions,
    file_report,
    moderate_report,
    update_report,
)
from tests.factories import MessageFactory, ReportFactory, UserFactory

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
#: No message, no user.
NOBODY = 10**9

pytestmark = pytest.mark.django_db


def gone(report: Report) -> Report:
    Report.objects.filter(pk=report.pk).delete()
    return report


def test_a_report_keeps_what_the_message_said_and_who_said_it(
    report: Report, insult: Message, alice: User, bob: User
) -> None:
    Message.objects.update(content="Nothing at all.")

    row = Report.objects.get()
    assert (row.pk, row.reporter, row.title, row.content) == (report.pk, alice, "Insults", "Make him stop.")
    assert (row.message, row.message_content, row.message_sender_id) == (insult, "You are a fool.", bob.pk)
    assert row.status == "open"


def test_a_report_may_be_about_no_message(alice: User, django_capture_on_commit_callbacks: Any) -> None:
    counted = Change()
    with django_capture_on_commit_callbacks(execute=True):
        made, is_new = file_report(alice, title="Spam", content="So much.")

    assert is_new
    assert (made.message_id, made.message_content, made.message_sender_id) == (None, None, None)
    assert counted.of("reports_filed_total") == {("reports_filed_total",): 1}


def test_a_report_is_about_a_message_that_its_reporter_sees(insult: Message, carol: User) -> None:
    missing = ("There is no such message", "message_id")

    for pk in (insult.pk, NOBODY, 0):
        said = refused(Invalid, lambda pk=pk: file_report(carol, title="a", content="b", message_id=pk))
        assert said == missing
    assert not Report.objects.exists()


def test_a_key_is_its_reporters_own(alice: User, bob: User) -> None:
    key = IdempotencyKey("key-1", "0" * 64)
    first, _ = file_report(alice, title="a", content="b", idempotency_key=key)

    assert file_report(alice, title="a", content="b", idempotency_key=key) == (first, False)
    other, is_new = file_report(bob, title="a", content="b", idempotency_key=key)
    assert (other.reporter, is_new, Report.objects.count()) == (bob, True, 2)
    assert (first.idempotency_key, first.idempotency_hash) == ("key-1", "0" * 64)


def test_only_the_reporter_changes_it_while_it_is_open(
    report: Report, alice: User, superuser: User, time_machine: TimeMachineFixture
) -> None:
    only = ("Only the reporter can update this report", None)
    assert refused(Forbidden, lambda: update_report(report, editor=superuser, title="x")) == only
    time_machine.move_to(NOON + timedelta(days=5000), tick=False)

    update_report(report, editor=alice, title="An insult")
    row = Report.objects.get()
    assert (row.title, row.content, row.updated_at) == ("An insult", "Make him stop.", timezone.now())

    for status in ("in_progress", "resolved"):
        moderate_report(report, actor=superuser, status=status)
        closed = ("Cannot update a report that is not in open status", None)
        assert refused(Invalid, lambda: update_report(report, editor=alice, title="x")) == closed
    missing = ("Report not found", None)
    assert refused(NotFound, lambda: update_report(gone(report), editor=alice, title="x")) == missing


def test_nothing_to_change_writes_nothing(
    report: Report, alice: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1 + 2):  # the report, and the savepoint's beginning and end
        assert update_report(report, editor=alice) is report


def test_moderating_sets_what_is_given(
    report: Report, moderator: User, superuser: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)

    def row() -> tuple[Any, ...]:
        one = Report.objects.get()
        return one.status, one.comment, one.resolved_at, one.resolved_by, one.assigned_to

    assert moderate_report(report, actor=moderator, comment="Looking.").comment == "Looking."
    assert row() == ("open", "Looking.", None, None, None)
    claim_report(report, actor=moderator)
    assert row() == ("in_progress", "Looking.", None, None, moderator)
    moderate_report(report, actor=moderator, status="resolved")
    assert row() == ("resolved", "Looking.", NOON, moderator, moderator)
    time_machine.shift(60)
    moderate_report(report, actor=superuser, status="resolved", comment="")
    assert row() == ("resolved", None, NOON, moderator, moderator)
    moderate_report(report, actor=superuser, status="in_progress")
    assert row() == ("in_progress", None, None, None, moderator)
    moderate_report(report, actor=superuser, status="open")
    assert row() == ("open", None, None, None, None)
    assert Report.objects.get().updated_at == NOON + timedelta(minutes=1)
    missing = ("Report not found", None)
    assert refused(NotFound, lambda: moderate_report(gone(report), actor=moderator)) == missing


def test_a_claim_is_for_one(report: Report, moderator: User, superuser: User) -> None:
    for _ in range(2):
        claimed = claim_report(report, actor=moderator)
        assert (claimed.status, claimed.assigned_to) == ("in_progress", moderator)
    busy = ("moderator is working on this report", None)
    assert refused(Conflict, lambda: claim_report(report, actor=superuser)) == busy

    moderate_report(report, actor=moderator, status="resolved")
    done = ("This report is resolved already", None)
    for actor in (moderator, superuser):
        assert refused(Conflict, lambda actor=actor: claim_report(report, actor=actor)) == done
    missing = ("Report not found", None)
    assert refused(NotFound, lambda: claim_report(gone(report), actor=moderator)) == missing


@pytest.mark.parametrize("act", [disable_sender, end_senders_sessions])
def test_the_sender_is_shut_out_by_whoever_may(
    as_user: ApiClient, report: Report, alice: User, bob: User, moderator: User, superuser: User, act: Any
) -> None:
    only = ("Only a superuser may do this to somebody who works in the admin", None)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    assert refused(Forbidden, lambda: act(report, actor=moderator)) == only
    User.objects.filter(pk=bob.pk).update(is_staff=False)
    sessions = {user: as_user(user).session_row for user in (alice, bob)}

    act(report, actor=moderator)

    for user, session in sessions.items():
        session.refresh_from_db()
        assert session.is_active is (user == alice)
    bob.refresh_from_db()
    assert bob.is_active is (act is end_senders_sessions)
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    act(report, actor=superuser)
    bob.delete()
    assert refused(Invalid, lambda: act(report, actor=moderator)) == ("There is no sender any more", None)
    none = ReportFactory(reporter=alice)
    assert refused(Invalid, lambda: act(none, actor=moderator)) == ("There is no sender any more", None)


def test_whoever_was_let_into_the_admin_meanwhile_is_not_shut_out(
    report: Report, bob: User, moderator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    disable = services.disable_user

    def late(user: User, *, actor: User) -> None:
        disable(user, actor=actor)
        User.objects.filter(pk=user.pk).update(is_staff=True)

    monkeypatch.setattr(services, "disable_user", late)

    said = refused(Forbidden, lambda: disable_sender(report, actor=moderator))

    assert said == ("Only a superuser may do this to somebody who works in the admin", None)
    bob.refresh_from_db()
    assert bob.is_active


def test_nobody_works_a_report_about_themselves(moderator: User, alice: User) -> None:
    message = MessageFactory(sender=moderator, recipient=alice)
    about = ReportFactory(reporter=alice, message=message, message_sender_id=moderator.pk)

    for act in (disable_sender, end_senders_sessions, claim_report, moderate_report):
        said = refused(Forbidden, lambda act=act: act(about, actor=moderator))  # type: ignore[misc]
        assert said == ("This report is about you, so somebody else must work it", None)


def test_keys_are_forgotten_after_a_week_unless_it_is_a_dry_run(db: None) -> None:
    key = IdempotencyKey("key-1", "0" * 64)
    file_report(UserFactory(), title="a", content="b", idempotency_key=key)
    what = "idempotency keys of reports"
    assert services.sweep() == {what: 0}
    Report.objects.update(created_at=timezone.now() - timedelta(days=8))

    assert services.sweep(dry_run=True) == {what: 1}
    assert Report.objects.get().idempotency_key == "key-1"
    assert services.sweep() == {what: 1}
    assert Report.objects.get().idempotency_key is None
