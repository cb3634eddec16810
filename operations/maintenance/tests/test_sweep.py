"""What the sweep takes beyond logins (accounts/tests/test_sweep.py), and how it goes about it."""

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import FailedLogin, PendingDeletion, RefreshToken, UsedAssertion, User
from accounts.services.users import delete_user
from aimessage.api.idempotency import IdempotencyKey
from aimessage.audit.tests.trails import by_hand, trail
from aimessage.db import batches as sweeping
from aimessage.db.rate_windows import count_request
from aimessage.jobs.models import Job
from aimessage.jobs.running import run_due
from aimessage.jobs.tests import tasks
from aimessage.models import ThrottleWindow
from aimessage.tests.threads import run_together
from assistant.account import get_profile
from assistant.models import Reply, Step
from channels.models import Address, LinkCode, Receipt
from conftest import ApiClient
from messaging.models import Conversation, Message, Participant
from messaging.services.messages import delete_message, send_message
from reports.models import Report
from reports.services import file_report
from tests.factories import (
    AddressFactory,
    FailedLoginFactory,
    InvitationFactory,
    MessageFactory,
    PersonalTokenFactory,
    ReportFactory,
    SessionFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

KEY = IdempotencyKey("key-1", "0" * 64)


def sweep(**options: Any) -> dict[str, int]:
    """Runs the command; what it says it deleted."""
    out = StringIO()
    call_command("sweep", stdout=out, **options)
    done = "would be deleted" if options.get("dry_run") else "deleted"
    lines = [line.removesuffix(f" {done}").split(" ", 1) for line in out.getvalue().splitlines()]
    return {what: int(count) for count, what in lines}


def age(row: Any, **age: float) -> None:
    type(row)._base_manager.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(**age))


@pytest.fixture
def keyed(alice: User, bob: User) -> dict[str, tuple[Message, Report]]:
    """A message and a report with the key of a retry: a little less, and a little more than a week old."""
    made = {}
    for name, hours in (("young", 7 * 24 - 1), ("old", 7 * 24 + 1)):
        key = IdempotencyKey(name, "0" * 64)
        message, _ = send_message(alice, content=name, recipient_id=bob.pk, idempotency_key=key)
        report, _ = file_report(alice, title=name, content=name, idempotency_key=key)
        age(message, hours=hours)
        age(report, hours=hours)
        made[name] = (message, report)
    return made


def test_idempotency_keys_are_forgotten_after_a_week(keyed: dict[str, tuple[Message, Report]]) -> None:
    before = dict(Message.objects.values_list("pk", "updated_at"))

    swept = sweep()

    assert (swept["idempotency keys of messages"], swept["idempotency keys of reports"]) == (1, 1)
    for row in keyed["old"]:
        row.refresh_from_db()
        assert (row.idempotency_key, row.idempotency_hash) == (None, None)
    for row in keyed["young"]:
        row.refresh_from_db()
        assert (row.idempotency_key, row.idempotency_hash) == ("young", "0" * 64)
    assert dict(Message.objects.values_list("pk", "updated_at")) == before


def test_a_key_works_for_a_week_and_is_free_after_it(as_user: ApiClient, alice: User, bob: User) -> None:
    def post() -> Any:
        body = {"recipient_id": bob.pk, "content": "hello"}
        return as_user(alice).post("/messages", body, HTTP_IDEMPOTENCY_KEY="key-1")

    first = post().json()
    age(Message.objects.get(), days=6.9)
    sweep()
    assert post().json()["id"] == first["id"]

    age(Message.objects.get(), days=7.1)
    sweep()
    assert post().json()["id"] != first["id"]


def leave(*users: User, superuser: User) -> None:
    for user in users:
        delete_user(User.objects.get(pk=user.pk), actor=superuser)


def test_messages_and_conversations_that_nobody_can_see_are_deleted(
    alice: User, bob: User, carol: User, superuser: User
) -> None:
    first = MessageFactory(sender=alice, recipient=bob)
    MessageFactory(sender=bob, recipient=alice, parent_id=first.pk)
    kept = [MessageFactory(sender=alice, recipient=carol), MessageFactory(sender=carol, recipient=bob)]
    leave(alice, bob, superuser=superuser)

    swept = sweep()

    assert (swept["messages that nobody can see"], swept["conversations of deleted accounts"]) == (2, 1)
    assert list(Message.objects.order_by("pk")) == kept
    assert set(Conversation.objects.all()) == {message.conversation for message in kept}
    assert Participant.objects.count() == 4


def test_a_message_that_its_recipient_deleted_goes_after_its_senders_account(
    as_user: ApiClient, alice: User, bob: User, superuser: User
) -> None:
    first = MessageFactory(sender=alice, recipient=bob)
    reply = MessageFactory(sender=bob, recipient=alice, parent_id=first.pk)
    delete_message(first, actor=bob)
    assert sweep()["messages that nobody can see"] == 0
    leave(alice, superuser=superuser)

    swept = sweep()

    assert (swept["messages that nobody can see"], swept["conversations of deleted accounts"]) == (1, 0)
    (shown,) = as_user(bob).get("/messages").json()
    assert (shown["id"], shown["parent_id"]) == (reply.pk, None)
    (listed,) = as_user(bob).get("/auth/conversations").json()
    assert listed["last_message"] == reply.content


def test_what_surrounds_a_reported_message_stays_until_the_report_is_resolved(
    alice: User, bob: User, superuser: User
) -> None:
    message = MessageFactory(sender=alice, recipient=bob, content="an insult")
    MessageFactory(sender=bob, recipient=alice)
    report, _ = file_report(bob, title="Insult", content="Look", message_id=message.pk)
    leave(alice, bob, superuser=superuser)

    assert sweep()["messages that nobody can see"] == 0
    Report.objects.filter(pk=report.pk).update(status="resolved", resolved_at=timezone.now())
    assert sweep()["messages that nobody can see"] == 2

    report.refresh_from_db()
    assert (report.message, report.message_content) == (None, "an insult")
    assert not Conversation.objects.exists()


def left_before_deletions_erased() -> None:
    """A row of the trail as it was made when deletions erased nothing yet."""
    (row,) = trail(1, target_id="999")
    with by_hand() as cursor:
        cursor.execute("UPDATE audit_entry SET act = 'user.deleted' WHERE id = %s", [row.pk])


def leave_the_assistant(superuser: User, old: datetime) -> None:
    """What somebody wrote to it who is gone, and what its tools did for another."""
    gone, bot = UserFactory(), get_profile().user
    MessageFactory(sender=gone, recipient=bot)
    leave(gone, superuser=superuser)
    reply = Reply.objects.get(question=MessageFactory(recipient=bot))
    Step.objects.create(reply=reply, number=0, call={}, result=[], at=old)


def nobodys_addresses(old: datetime, long_ago: datetime) -> None:
    """Two that nothing needs any more, and others."""
    nobodys = {"user": None, "linked_at": None}
    ages = {
        AddressFactory(**nobodys, invited_at=old): old,
        AddressFactory(**nobodys, opted_out_at=long_ago): long_ago,
        AddressFactory(**nobodys, opted_out_at=old): old,
        AddressFactory(**nobodys, invited_at=timezone.now()): timezone.now(),
        AddressFactory(opted_out_at=long_ago): long_ago,
    }
    for address, updated_at in ages.items():
        Address.objects.filter(pk=address.pk).update(updated_at=updated_at)


@pytest.fixture
def leftovers(
    keyed: Any, assistant_on: None, alice: User, bob: User, carol: User, superuser: User
) -> dict[str, int]:
    """Some of everything that a sweep takes: how many of what."""
    old, long_ago = timezone.now() - timedelta(days=31), timezone.now() - timedelta(days=401)
    session = SessionFactory(user=carol, expires_at=old)
    for number in range(3):
        RefreshToken.objects.create(user=carol, session=session, token=f"{number}", expires_at=old)
    PersonalTokenFactory(user=carol, expires_at=old)
    InvitationFactory(expires_at=old)
    FailedLoginFactory()
    FailedLogin.objects.update(attempt_time=old)
    count_request("over", seconds=-1)
    tasks.add.enqueue(1, 2)
    run_due()
    Job.objects.update(finished_at=old)
    gone = UserFactory.create_batch(2)
    MessageFactory(sender=gone[0], recipient=gone[1])
    leave(*gone, superuser=superuser)
    left_before_deletions_erased()
    UsedAssertion.objects.create(digest="0" * 64, expires_at=old)
    leave_the_assistant(superuser, old)
    LinkCode.objects.create(user=carol, method="text", digest="0" * 64, expires_at=old)
    Receipt.objects.create(message_sid="SM1", outcome="unknown", received_at=long_ago)
    Receipt.objects.create(message_sid="SM2", outcome="unknown", received_at=old)
    nobodys_addresses(old, long_ago)
    leaver = UserFactory(is_active=False)
    PendingDeletion.objects.create(user=leaver, deletion_at=old)
    return {
        "refresh tokens": 3,
        "sessions": 1,
        "admin logins": 0,
        "personal tokens": 1,
        "invitations": 1,
        "failed logins": 1,
        "used assertions": 1,
        "accounts whose time had come": 1,
        "throttle windows": 1,
        "finished jobs": 1,
        "idempotency keys of messages": 1,
        "messages that nobody can see": 1,
        "conversations of deleted accounts": 1,
        "idempotency keys of reports": 1,
        "deleted accounts in the audit trail": 1,
        "events": 0,
        "stream tickets": 0,
        "half-finished logins": 0,
        "unconfirmed second factors": 0,
        "wrong codes": 0,
        "codes for phones": 1,
        "receipts": 1,
        "addresses of nobody": 2,
        "links in mails": 0,
        "mails": 0,
        "steps of the assistant": 1,
        "old replies of the assistant": 0,
        "counts of the assistant's tokens": 0,
        "messages between the assistant and deleted accounts": 1,
        "conversations of the assistant with deleted accounts": 1,
    }


def test_a_dry_run_counts_and_deletes_nothing(leftovers: dict[str, int]) -> None:
    assert sweep(dry_run=True) == leftovers
    assert sweep() == leftovers
    assert set(sweep().values()) == {0}


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "BATCH", 3)
    monkeypatch.setattr(sweeping, "LOOK", 6)


def windows(count: int) -> None:
    ThrottleWindow.objects.bulk_create(
        ThrottleWindow(key=f"{number}", ends_at=0, count=1) for number in range(count)
    )


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 12, 20])
def test_batches_leave_nothing_behind(small_batches: None, count: int) -> None:
    windows(count)

    assert sweep()["throttle windows"] == count
    assert not ThrottleWindow.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_each_batch_is_a_transaction_of_its_own(small_batches: None, monkeypatch: pytest.MonkeyPatch) -> None:
    windows(7)
    left = []
    enter = transaction.Atomic.__exit__

    def count_after(self: Any, *args: Any) -> Any:
        outermost = len(connection.savepoint_ids) == 0 and connection.in_atomic_block
        done = enter(self, *args)
        if outermost and not connection.in_atomic_block:
            left.append(ThrottleWindow.objects.count())
        return done

    monkeypatch.setattr(transaction.Atomic, "__exit__", count_after)
    sweeping.delete_in_batches(ThrottleWindow.objects.all())

    assert [count for number, count in enumerate(left) if number == 0 or count != left[number - 1]] == [
        4,
        1,
        0,
    ]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_share_the_work(small_batches: None, leftovers: dict[str, int]) -> None:
    windows(200)
    expected = leftovers | {"throttle windows": 201}

    swept = run_together(sweep, sweep)

    again = sweep()  # what both looked at when the other had it
    total = {what: sum(one[what] for one in [*swept, again]) for what in expected}
    assert total == expected


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_is_left_for_the_next_time(
    small_batches: None, alice: User, bob: User
) -> None:
    rows = [send_message(alice, content="x", recipient_id=bob.pk, idempotency_key=KEY)[0]]
    rows += [ReportFactory(reporter=alice, idempotency_key="key", idempotency_hash="0" * 64)]
    for row in rows:
        age(row, days=8)

    with transaction.atomic():
        Message.objects.select_for_update().get(pk=rows[0].pk)
        (swept,) = run_together(sweep)
    assert (swept["idempotency keys of messages"], swept["idempotency keys of reports"]) == (0, 1)

    assert sweep()["idempotency keys of messages"] == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_parent_whose_reply_somebody_holds_is_left_for_the_next_time(
    alice: User, bob: User, superuser: User
) -> None:
    parent = MessageFactory(sender=alice, recipient=bob)
    reply = MessageFactory(sender=bob, recipient=alice, parent_id=parent.pk)
    delete_message(parent, actor=bob)
    leave(alice, superuser=superuser)

    with transaction.atomic():
        Message.objects.select_for_update().get(pk=reply.pk)
        (swept,) = run_together(sweep)
    assert swept["messages that nobody can see"] == 0

    assert sweep()["messages that nobody can see"] == 1
    assert Message.objects.get().parent is None
