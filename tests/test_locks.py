"""Which rows each act waits for: a lock that is missing, or too strong, is seen under load alone.

Most locks close a race of microseconds, which the tests of races try. Here another transaction holds the row.
Acts that change no key lock FOR NO KEY UPDATE, so that nobody waits who writes a row that refers to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, connections, models, transaction

from accounts.models import SecondFactor, Session, User
from accounts.services.codes import check_code
from accounts.services.second_factor import (
    begin_totp,
    confirm_totp,
    remove_second_factor,
    renew_recovery_codes,
)
from accounts.services.sessions import log_out_everywhere, open_session, refresh_session
from accounts.services.users import (
    change_password,
    delete_user,
    disable_user,
    set_password,
    withdraw_superuser,
)
from accounts.tests.factors import Phone, enrol
from aimessage.audit.models import Head
from aimessage.audit.services import append_entries
from aimessage.audit.tests.trails import entry
from messaging.models import Conversation, Message
from messaging.services.messages import delete_message, send_message
from messaging.services.reading import mark_read
from messaging.services.retention import delete_unseen
from reports.services import claim_report, file_report, moderate_report, update_report
from tests.factories import PASSWORD, MessageFactory, ReportFactory, UserFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

#: Somebody changes the row; somebody writes a row that refers to it.
CHANGED, REFERRED_TO = "FOR NO KEY UPDATE", "FOR KEY SHARE"


@contextmanager
def held(row: models.Model, strength: str) -> Iterator[None]:
    """Another transaction has the row locked."""
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            table, key = row._meta.db_table, row._meta.pk.column
            cursor.execute(f'SELECT 1 FROM "{table}" WHERE "{key}" = %s {strength}', [row.pk])  # noqa: S608
            assert cursor.fetchall()
        yield
    finally:
        other.close()


def waits(act: Callable[[], object], row: models.Model, strength: str = CHANGED) -> bool:
    """Whether the act waits for the row; what it does is undone."""
    waited = False
    with held(row, strength), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
        try:
            with transaction.atomic():
                act()
        except OperationalError as error:
            waited = "lock timeout" in str(error)
        transaction.set_rollback(True)
    return waited


def waits_for_changes_alone(act: Callable[[], object], row: models.Model) -> bool:
    return waits(act, row) and not waits(act, row, REFERRED_TO)


def test_what_opens_and_ends_sessions_waits_for_their_user(alice: User) -> None:
    session, tokens = open_session(alice)

    assert waits_for_changes_alone(lambda: open_session(alice), alice)
    assert waits_for_changes_alone(lambda: refresh_session(tokens.refresh_token), session)
    assert not waits(lambda: refresh_session(tokens.refresh_token), alice)
    assert waits_for_changes_alone(lambda: log_out_everywhere(alice), alice)
    assert waits_for_changes_alone(lambda: log_out_everywhere(alice), Session.objects.get())


def test_a_new_password_waits_for_its_user(alice: User) -> None:
    session, _ = open_session(alice)
    new = "amber-kettle-77"

    assert waits_for_changes_alone(
        lambda: change_password(alice, current=PASSWORD, new=new, keep=session), alice
    )
    assert waits_for_changes_alone(lambda: set_password(alice, new), alice)


def test_turning_a_second_factor_on_waits_for_its_user(alice: User) -> None:
    phone = Phone(begin_totp(alice).secret)

    assert waits_for_changes_alone(lambda: confirm_totp(alice, code=phone.code(), keep=None), alice)


def test_what_uses_codes_waits_for_their_second_factor(alice: User) -> None:
    phone, codes = enrol(alice)
    factor = SecondFactor.objects.get()

    assert waits_for_changes_alone(lambda: check_code(alice, code=phone.code()), factor)
    assert waits_for_changes_alone(lambda: check_code(alice, recovery_code=codes[0]), factor)
    assert waits_for_changes_alone(lambda: renew_recovery_codes(alice), factor)
    assert waits_for_changes_alone(lambda: remove_second_factor(alice), alice)


@pytest.mark.parametrize("act", [withdraw_superuser, disable_user, delete_user])
def test_whoever_takes_a_superuser_away_waits_for_all_of_them(
    act: Callable[..., object], superuser: User
) -> None:
    other = UserFactory(username="ruler", is_superuser=True)

    assert waits_for_changes_alone(lambda: act(other, actor=superuser), superuser)


def test_what_changes_a_conversation_waits_for_it(alice: User, bob: User) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    MessageFactory(sender=alice, recipient=bob)
    conversation = Conversation.objects.get()

    assert waits(lambda: send_message(alice, content="a", recipient_id=bob.pk), conversation, REFERRED_TO)
    assert waits_for_changes_alone(lambda: mark_read(Message.objects.all(), reader=bob), message)
    assert waits(lambda: delete_message(message, actor=alice), message, REFERRED_TO)


def test_a_sweep_of_messages_waits_for_no_reply(alice: User, bob: User) -> None:
    parent = MessageFactory(sender=alice, recipient=bob)
    reply = MessageFactory(sender=bob, recipient=alice, parent_id=parent.pk)

    with held(reply, CHANGED), transaction.atomic():
        assert delete_unseen([parent.pk]) == 0
    with transaction.atomic():
        assert delete_unseen([parent.pk]) == 1
    assert Message.objects.get() == reply


def test_what_changes_a_report_waits_for_it(alice: User, moderator: User) -> None:
    report = ReportFactory(reporter=alice)

    assert waits_for_changes_alone(lambda: update_report(report, editor=alice, title="Another"), report)
    assert waits_for_changes_alone(lambda: claim_report(report, actor=moderator), report)
    assert waits_for_changes_alone(
        lambda: moderate_report(report, actor=moderator, status="resolved"), report
    )


def test_filing_a_report_waits_for_what_it_is_about(alice: User, bob: User) -> None:
    message = MessageFactory(sender=bob, recipient=alice)

    def file() -> object:
        return file_report(alice, title="Insults", content="Make him stop.", message_id=message.pk)

    assert waits_for_changes_alone(file, message)


def test_the_audit_trail_waits_for_its_head(db: None) -> None:
    append_entries([entry()])

    assert waits_for_changes_alone(lambda: append_entries([entry()]), Head.objects.get())
