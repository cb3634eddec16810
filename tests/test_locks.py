"""Which rows each act locks, and how: a lock that is missing, or too strong, is seen under load alone.

On SQLite a lock does nothing, and on PostgreSQL most of them close a race of microseconds (the tests of
races try those). What is asked for is the same on both: NO KEY where nothing about keys changes, so that
whoever writes a row that refers to it need not wait.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import QuerySet

from accounts.models import User
from accounts.services.codes import check_code
from accounts.services.second_factor import remove_second_factor, renew_recovery_codes
from accounts.services.sessions import log_out_everywhere, open_session, refresh_session
from accounts.services.users import (
    change_password,
    delete_user,
    disable_user,
    set_password,
    withdraw_superuser,
)
from accounts.tests.factors import enrol
from aimessage.audit.services import append_entries
from aimessage.audit.tests.trails import entry
from messaging.models import Message
from messaging.services import messages
from messaging.services.messages import delete_message
from messaging.services.reading import mark_read
from messaging.services.retention import delete_unseen
from reports.services import claim_report, file_report, moderate_report, update_report
from tests.factories import PASSWORD, MessageFactory, ReportFactory

NO_KEY = {"no_key": True}
Locks = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> Locks:
    """Model and options of every lock that is asked for."""
    asked: Locks = []
    lock: Callable[..., Any] = QuerySet.select_for_update

    def note(self: QuerySet[Any], **options: Any) -> Any:
        asked.append((self.model.__name__, options))
        return lock(self, **options)

    monkeypatch.setattr(QuerySet, "select_for_update", note)
    return asked


def test_what_opens_and_ends_sessions_locks_their_user(locks: Locks, alice: User) -> None:
    _, tokens = open_session(alice)
    assert locks == [("User", NO_KEY)]

    locks.clear()
    refresh_session(tokens.refresh_token)
    assert locks == [("Session", {"no_key": True, "of": ("self",)})]

    locks.clear()
    log_out_everywhere(alice)
    assert locks == [("User", NO_KEY), ("Session", {"no_key": True, "of": ("self",)})]


def test_a_new_password_locks_its_user(locks: Locks, alice: User) -> None:
    session, _ = open_session(alice)
    locks.clear()

    change_password(alice, current=PASSWORD, new="amber-kettle-77", keep=session)
    assert locks[0] == ("User", NO_KEY)

    locks.clear()
    set_password(alice, PASSWORD)
    assert locks[0] == ("User", NO_KEY)


def test_what_uses_codes_locks_their_second_factor(locks: Locks, alice: User) -> None:
    phone, codes = enrol(alice)
    assert locks[0] == ("User", NO_KEY)
    locks.clear()

    assert check_code(alice, code=phone.code())
    assert check_code(alice, recovery_code=codes[0])
    renew_recovery_codes(alice)
    assert locks == [("SecondFactor", NO_KEY)] * 3

    locks.clear()
    remove_second_factor(alice)
    assert locks[0] == ("User", NO_KEY)


def test_whoever_takes_a_superuser_away_locks_them_all(locks: Locks, alice: User, superuser: User) -> None:
    for act in (withdraw_superuser, disable_user, delete_user):
        locks.clear()
        act(alice, actor=superuser)
        assert locks[0] == ("User", NO_KEY)


def test_what_changes_a_conversation_locks_it_first(locks: Locks, alice: User, bob: User) -> None:
    # Compiled once per process, so that nothing is asked for later.
    assert messages._LOCK_CONVERSATION.build().query.select_for_update
    assert locks == [("Conversation", {})]
    message = MessageFactory(sender=alice, recipient=bob)
    MessageFactory(sender=alice, recipient=bob)

    locks.clear()
    mark_read(Message.objects.all(), reader=bob)
    assert locks == [("Message", NO_KEY)]

    locks.clear()
    delete_message(message, actor=alice)
    assert [lock for lock in locks if lock[0] == "Message"] == [("Message", {})]


def test_a_sweep_of_messages_leaves_busy_replies_alone(locks: Locks, alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)

    delete_unseen([message.pk])

    assert locks == [("Message", {"no_key": True, "skip_locked": True})]


def test_what_changes_a_report_locks_it(locks: Locks, alice: User, moderator: User) -> None:
    report = ReportFactory(reporter=alice)
    locks.clear()

    update_report(report, editor=alice, title="Another")
    claim_report(report, actor=moderator)
    moderate_report(report, actor=moderator, status="resolved")

    assert locks == [("Report", NO_KEY)] * 3


def test_filing_a_report_locks_what_it_is_about(locks: Locks, alice: User, bob: User) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    locks.clear()

    file_report(alice, title="Insults", content="Make him stop.", message_id=message.pk)

    assert locks == [("Message", NO_KEY)]


def test_the_audit_trail_is_locked_by_its_head(locks: Locks, db: None) -> None:
    append_entries([entry()])

    assert locks == [("Head", NO_KEY)]
