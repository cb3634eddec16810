"""The deletion of an account whose time has come, and what is erased with it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import ExternalIdentity, FailedLogin, PendingDeletion, Session, User
from accounts.services import leaving
from accounts.services.leaving import (
    cancel_deletion,
    request_deletion,
    sweep,
)
from accounts.services.users import enable_user
from accounts.tests.leaving import DELETE, LOGIN, PROOF, REFUSED, Notices, later
from aimessage.audit.chain import current_head, verify_chain
from aimessage.audit.models import Entry
from aimessage.events.models import Event
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from messaging.models import Conversation, Message, Participant
from messaging.services import erasing
from reports.models import Report
from tests.factories import MessageFactory, ReportFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("command", [True, False])
def test_it_is_deleted_when_its_time_has_come(
    alice: User, bob: User, notices: Notices, time_machine: TimeMachineFixture, command: bool
) -> None:
    message = MessageFactory(sender=alice, recipient=bob)
    request_deletion(alice, erases=False)
    request_deletion(bob, erases=False)
    later(time_machine, days=13, hours=23)
    assert sweep() == {"accounts whose time had come": 0}
    cancel_deletion(bob, by=bob.pk)

    later(time_machine, hours=1)
    assert sweep(dry_run=True) == {"accounts whose time had come": 1}
    assert User.objects.filter(pk=alice.pk).exists()
    if command:
        call_command("sweep")
    else:
        assert sweep() == {"accounts whose time had come": 1}

    assert list(User.objects.values_list("username", flat=True)) == ["bob"]
    assert PendingDeletion.objects.count() == 0
    assert notices[-1] == ("alice", "deletion_done", {})
    message.refresh_from_db()
    assert (message.sender_id, message.content != "") == (None, True)


def test_how_many_days_is_a_setting(
    alice: User, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.DELETION_DELAY = timedelta(days=1)
    request_deletion(alice, erases=False)

    later(time_machine, days=1, seconds=1)
    sweep()
    assert not User.objects.exists()


@pytest.mark.parametrize("messages", ["keep", "erase"])
def test_without_delay_it_is_gone_at_once(
    as_user: ApiClient,
    client: APIClient,
    alice: User,
    bob: User,
    settings: Settings,
    notices: Notices,
    messages: str,
) -> None:
    settings.DELETION_DELAY = timedelta(0)
    MessageFactory(sender=alice, recipient=bob)
    me = as_user(alice)

    answer = me.post(DELETE, {**PROOF, "messages": messages})

    assert answer.status_code == 200
    assert answer.json() == {"message": "Account deleted"}
    assert list(User.objects.values_list("username", flat=True)) == ["bob"]
    assert Message.objects.count() == (messages == "keep")
    assert [kind for _, kind, _ in notices] == ["deletion_begun", "deletion_done"]
    assert_problem(me.get("/auth/me"), 401)
    assert_problem(client.post("/auth/login", LOGIN), 401, REFUSED)


def test_what_takes_long_is_left_for_the_clock(
    as_user: ApiClient, alice: User, bob: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DELETION_DELAY = timedelta(0)
    monkeypatch.setattr(leaving, "REQUEST_SECONDS", -1)
    monkeypatch.setattr(erasing, "ERASED_AT_ONCE", 2)
    for _ in range(5):
        MessageFactory(sender=alice, recipient=bob)

    answer = as_user(alice).post(DELETE, {**PROOF, "messages": "erase"})

    assert answer.status_code == 202
    assert Message.objects.count() == 3
    sweep()
    assert not Message.objects.exists()
    assert not User.objects.filter(username="alice").exists()


def test_nothing_personal_is_left(
    as_user: ApiClient, superuser: User, browser_of: Callable[[User], Client], settings: Settings
) -> None:
    zoe = UserFactory(username="zoe.quill", email="zoe.quill@mail.example", full_name="Zoe Quillington")
    User.objects.filter(pk=zoe.pk).update(phone_number="+4930987654")
    ExternalIdentity.objects.create(user=zoe, issuer="https://app.example.org", subject="zoe.quill.4711")
    browser_of(superuser).post(f"/admin/accounts/user/{zoe.pk}/end-sessions/")
    as_user(zoe).post(DELETE, {"current_password": "wrong"})
    settings.DELETION_DELAY = timedelta(0)

    assert as_user(zoe).post(DELETE, PROOF).status_code == 200

    held = str(list(Entry.objects.values()))
    held += "".join(str(list(model._default_manager.values())) for model in (User, FailedLogin, Session))
    held += str(list(ExternalIdentity.objects.values()))
    for text in ("zoe", "quill", "Quillington", "4930987654"):
        assert text not in held
    entry = Entry.objects.get(act="user.deleted")
    assert (entry.actor_id, entry.target_id, entry.sentence) == (
        None,
        str(zoe.pk),
        "Deleted at its owner's wish.",
    )
    list(verify_chain(current_head()))


def test_who_was_let_in_again_is_not_deleted(
    alice: User, superuser: User, time_machine: TimeMachineFixture
) -> None:
    request_deletion(alice, erases=True)
    alice.refresh_from_db()
    enable_user(alice, actor=superuser)
    later(time_machine, days=15)

    assert sweep() == {"accounts whose time had come": 0}
    assert PendingDeletion.objects.count() == 0
    # Even where somebody enables it past the service.
    PendingDeletion.objects.create(user=alice, deletion_at=timezone.now())
    assert sweep() == {"accounts whose time had come": 0}
    assert User.objects.filter(pk=alice.pk, is_active=True).exists()


def test_what_was_sent_is_gone_for_both(
    as_user: ApiClient,
    alice: User,
    bob: User,
    carol: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DELETION_DELAY = timedelta(0)
    monkeypatch.setattr(erasing, "ERASED_AT_ONCE", 3)
    kept = MessageFactory(sender=bob, recipient=alice, content="from bob")
    sent = [MessageFactory(sender=alice, recipient=bob) for _ in range(7)]
    reply = MessageFactory(sender=bob, recipient=alice, parent_id=sent[0].pk, content="a reply")
    last = MessageFactory(sender=alice, recipient=bob)
    to_carol = MessageFactory(sender=alice, recipient=carol)
    reported = ReportFactory(reporter=bob, message=sent[1], message_content="What she said.")
    others = MessageFactory(sender=bob, recipient=carol)

    as_user(alice).post(DELETE, {**PROOF, "messages": "erase"})

    assert set(Message.objects.values_list("pk", flat=True)) == {kept.pk, reply.pk, others.pk}
    reply.refresh_from_db()
    assert reply.parent_id is None
    listed = as_user(bob).get("/auth/conversations").json()
    assert {one["last_message"] for one in listed} == {"a reply", others.content}
    assert [one["last_message"] for one in as_user(carol).get("/auth/conversations").json()] == [
        others.content
    ]
    assert not Participant.objects.filter(
        conversation=to_carol.conversation_id, last_message__isnull=False
    ).exists()
    told = Event.objects.filter(kind="message.deleted").values_list("user_id", "message_id")
    assert set(told) == {(bob.pk, one.pk) for one in [*sent, last]} | {(carol.pk, to_carol.pk)}
    report = Report.objects.get(pk=reported.pk)
    assert (report.message_id, report.message_content) == (None, "What she said.")
    assert Conversation.objects.count() == 3


def test_what_was_sent_stays_until_then(alice: User, bob: User, time_machine: TimeMachineFixture) -> None:
    MessageFactory(sender=alice, recipient=bob)
    request_deletion(alice, erases=True)
    assert Message.objects.count() == 1

    later(time_machine, days=15)
    sweep()
    assert Message.objects.count() == 0
