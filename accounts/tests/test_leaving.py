"""POST /auth/me/delete and /auth/deletion/cancel: leaving, and staying after all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import ExternalIdentity, FailedLogin, PendingDeletion, SecondFactor, Session, User
from accounts.services import leaving
from accounts.services.leaving import (
    cancel_deletion,
    request_deletion,
    sweep,
    withdraw_deletion,
)
from accounts.services.users import enable_user
from accounts.tests.factors import enrol, finish
from accounts.tests.mailbox import deliver, undo_token
from aimessage.api.problems import Conflict
from aimessage.audit.chain import current_head, verify_chain
from aimessage.audit.models import Entry
from aimessage.events.models import Event
from aimessage.jobs.models import Job
from aimessage.mail.models import Mail
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from messaging.models import Conversation, Message, Participant
from messaging.services import erasing
from reports.models import Report
from tests.factories import PASSWORD, BlockFactory, MessageFactory, ReportFactory, UserFactory

pytestmark = pytest.mark.django_db

PROOF = {"current_password": PASSWORD}
DELETE, CANCEL = "/auth/me/delete", "/auth/deletion/cancel"
LOGIN = {"username": "alice", "password": PASSWORD}
REFUSED = "Incorrect username or password"
Told = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Whom the mails go to, and of what they tell."""
    mails: Told = []

    def notify(user: User, kind: str, **context: Any) -> None:
        mails.append((user.username, kind, context))

    monkeypatch.setattr(leaving, "notify", notify)
    return mails


def later(time_machine: TimeMachineFixture, **time: float) -> None:
    time_machine.move_to(timezone.now() + timedelta(**time), tick=False)


# --- Asking for it ---


def test_the_account_is_disabled_at_once(
    client: APIClient, as_user: ApiClient, alice: User, told: Told, time_machine: TimeMachineFixture
) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    me, phone = as_user(alice), as_user(alice)

    answer = me.post(DELETE, PROOF)

    deletion_at = now + timedelta(days=14)
    assert answer.status_code == 202
    assert answer.json() == {
        "message": "Account will be deleted",
        "deletion_at": deletion_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    for one in (me, phone):
        assert_problem(one.get("/auth/me"), 401)
    assert client.post("/auth/refresh", {"refresh_token": me.tokens.refresh_token}).status_code == 401
    assert not Session.objects.live().filter(user=alice).exists()
    alice.refresh_from_db()
    assert not alice.is_active
    assert alice.admin_epoch == 1
    assert told == [("alice", "deletion_begun", {"deletion_at": deletion_at})]


def test_the_login_says_when_it_will_be_deleted(client: APIClient, alice: User) -> None:
    deletion_at = request_deletion(alice, erases=False)

    answer = client.post("/auth/login", LOGIN)

    assert_problem(answer, 403, f"This account will be deleted on {deletion_at:%Y-%m-%d}")
    assert answer.json()["code"] == "deletion_pending"
    assert_problem(client.post("/auth/login", {**LOGIN, "password": "wrong"}), 401, REFUSED)


def test_the_right_password_forgives_no_failures(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    client.post("/auth/login", {**LOGIN, "password": "wrong"})
    client.post("/auth/login", LOGIN)

    assert FailedLogin.objects.count() == 1


def test_nobody_finds_it_or_writes_to_it(as_user: ApiClient, alice: User, bob: User) -> None:
    request_deletion(alice, erases=False)

    assert as_user(bob).get("/auth/directory?search=alice").json() == []
    answer = as_user(bob).post("/messages", {"recipient_id": alice.pk, "content": "Hello?"})
    assert_problem(answer, 404, "Recipient not found")


@pytest.mark.parametrize("url", [DELETE, "/auth/me/export"])
def test_a_wrong_password_changes_nothing_and_counts(
    as_user: ApiClient, client: APIClient, alice: User, url: str
) -> None:
    me = as_user(alice)
    for body in ({}, {"current_password": None}, {"current_password": 7}):
        assert_problem(me.post(url, body), 400)
    for body in [{"current_password": ""}, {"current_password": "wrong"}] * 2:
        answer = me.post(url, body)
        assert_problem(answer, 400, "Current password is incorrect")
        assert answer.json()["codes"] == {"current_password": ["wrong_password"]}
    assert me.post(url, {"current_password": "wrong"}).status_code in {400, 429}
    assert_problem(me.post(url, PROOF), 429)
    assert_problem(client.post("/auth/login", LOGIN), 429)
    alice.refresh_from_db()
    assert alice.is_active
    assert PendingDeletion.objects.count() == 0


@pytest.mark.parametrize("messages", ["all", "", None, 7, ["erase"], True, "Erase"])
def test_what_becomes_of_messages_is_one_of_two(as_user: ApiClient, alice: User, messages: Any) -> None:
    assert_problem(as_user(alice).post(DELETE, {**PROOF, "messages": messages}), 400)
    assert PendingDeletion.objects.count() == 0


@pytest.mark.parametrize("url", [DELETE, "/auth/me/export", CANCEL])
def test_they_count_as_logins(as_user: ApiClient, alice: User, settings: Settings, url: str) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "login": (1, 60)}
    me, body = as_user(alice), {"current_password": "wrong", "token": "x"}

    assert me.post(url, body).status_code in {400, 401}
    assert me.post(url, body).status_code == 429


def test_the_last_superuser_stays(as_user: ApiClient, superuser: User) -> None:
    me = as_user(superuser)

    answer = me.post(DELETE, PROOF)

    assert_problem(answer, 403, "The last superuser must stay")
    assert answer.json()["code"] == "last_superuser"
    assert me.get("/auth/me").status_code == 200
    UserFactory(username="another", is_superuser=True)
    assert me.post(DELETE, PROOF).status_code == 202


def test_an_admin_session_ends_for_good(browser_of: Callable[[User], Client], superuser: User) -> None:
    UserFactory(username="another", is_superuser=True)
    desk = browser_of(superuser)
    assert desk.get("/admin/").status_code == 200

    request_deletion(superuser, erases=False)
    assert desk.get("/admin/").status_code == 302
    cancel_deletion(superuser, by=superuser.pk)
    assert desk.get("/admin/").status_code == 302


# --- Its time ---


@pytest.mark.parametrize("command", [True, False])
def test_it_is_deleted_when_its_time_has_come(
    alice: User, bob: User, told: Told, time_machine: TimeMachineFixture, command: bool
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
    assert told[-1] == ("alice", "deletion_done", {})
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
    told: Told,
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
    assert [kind for _, kind, _ in told] == ["deletion_begun", "deletion_done"]
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


# --- Erasing ---


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


# --- Staying ---


def test_the_account_stays_with_its_password(client: APIClient, as_user: ApiClient, alice: User) -> None:
    before = User.objects.values().get()
    session = as_user(alice)
    request_deletion(alice, erases=True)

    answer = client.post(CANCEL, LOGIN)

    assert answer.status_code == 200
    assert answer.json() == {"message": "Account will stay"}
    assert PendingDeletion.objects.count() == 0
    after = User.objects.values().get()
    apart = {"updated_at", "admin_epoch", "last_login"}
    assert {k: v for k, v in after.items() if k not in apart} == {
        k: v for k, v in before.items() if k not in apart
    }
    assert_problem(session.get("/auth/me"), 401)
    assert client.post("/auth/login", LOGIN).status_code == 200


def test_the_account_stays_by_the_token_of_the_mail_once(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    token = undo_token()
    assert token not in str(PendingDeletion.objects.values().get())

    for wrong in ("", "x", token[:-1], "é" * 5000):
        answer = client.post(CANCEL, {"token": wrong})
        assert_problem(answer, 401, "Link or code is invalid or expired")
        assert answer.json()["code"] == "invalid_token"
    assert client.post(CANCEL, {"token": token}).status_code == 200
    assert client.post("/auth/login", LOGIN).status_code == 200
    assert client.post(CANCEL, {"token": token}).status_code == 401


def test_a_token_of_an_earlier_deletion_is_dead(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    token = undo_token()
    cancel_deletion(alice, by=alice.pk)
    alice.refresh_from_db()
    request_deletion(alice, erases=False)

    assert client.post(CANCEL, {"token": token}).status_code == 401
    newer = undo_token()
    assert client.post(CANCEL, {"token": token}).status_code == 401
    assert client.post(CANCEL, {"token": newer}).status_code == 200


def test_a_mail_about_a_deletion_that_was_withdrawn_is_not_sent(alice: User) -> None:
    request_deletion(alice, erases=False)
    cancel_deletion(alice, by=alice.pk)
    assert deliver() == []

    for _ in range(2):
        alice.refresh_from_db()
        request_deletion(alice, erases=False)
        cancel_deletion(alice, by=alice.pk)
    alice.refresh_from_db()
    request_deletion(alice, erases=False)
    assert len(deliver()) == 1


def test_a_second_try_of_the_mail_carries_the_same_link(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    first = undo_token()
    Mail.objects.update(state="waiting")
    Job.objects.update(status="READY")

    assert undo_token() == first
    assert client.post(CANCEL, {"token": first}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"username": "alice", "password": "wrong"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "bob", "password": PASSWORD},  # who is not to be deleted
        {"username": "dan", "password": PASSWORD},  # nor is he, who is disabled
        {"username": "a" * 500, "password": PASSWORD},
    ],
)
def test_anything_else_is_one_401(client: APIClient, alice: User, bob: User, body: dict[str, str]) -> None:
    UserFactory(username="dan", is_active=False)
    request_deletion(alice, erases=False)

    for _ in range(2):
        answer = client.post(CANCEL, body)
        assert_problem(answer, 401, REFUSED)
        assert answer.json()["code"] == "invalid_credentials"
    assert FailedLogin.objects.count() == (0 if len(body["username"]) > 400 else 2)
    assert PendingDeletion.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"username", "password"}),
        ({"token": None}, {"username", "password"}),
        ({"username": "alice"}, {"password"}),
        ({"password": PASSWORD}, {"username"}),
        ({"username": None, "password": PASSWORD}, {"username"}),
        ({"token": 7}, {"token"}),
        ({"username": ["alice"], "password": PASSWORD}, {"username"}),
    ],
)
def test_something_has_to_be_given(
    client: APIClient, alice: User, body: dict[str, Any], fields: set[str]
) -> None:
    request_deletion(alice, erases=False)

    assert set(assert_problem(client.post(CANCEL, body), 400)["errors"]) == fields


def test_guesses_lock_out_here_as_at_the_login(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    wrong = {**LOGIN, "password": "wrong"}

    answers = [client.post(url, wrong).status_code for url in (CANCEL, "/auth/login", CANCEL, CANCEL)]

    assert answers == [401] * 4
    assert client.post(CANCEL, wrong).status_code in {401, 429}
    assert_problem(client.post(CANCEL, LOGIN), 429)
    assert_problem(client.post("/auth/login", LOGIN), 429)


def test_a_second_factor_is_asked_for_as_at_a_login(client: APIClient, alice: User) -> None:
    phone, _ = enrol(alice)
    request_deletion(alice, erases=False)

    body = assert_problem(client.post(CANCEL, LOGIN), 403, "Two-factor code required")
    assert body["code"] == "second_factor_required"
    wrong = client.post(CANCEL, {**LOGIN, "code": phone.wrong()})
    assert assert_problem(wrong, 401, "Incorrect code")["code"] == "wrong_code"
    assert FailedLogin.objects.count() == 1
    assert client.post(CANCEL, {**LOGIN, "password": "wrong", "code": phone.code()}).status_code == 401
    assert PendingDeletion.objects.count() == 1

    assert client.post(CANCEL, {**LOGIN, "code": phone.code()}).status_code == 200
    assert PendingDeletion.objects.count() == 0


def test_wrong_codes_shut_here_as_at_a_login(client: APIClient, alice: User, settings: Settings) -> None:
    phone, codes = enrol(alice)
    request_deletion(alice, erases=False)
    for _ in range(5):
        client.post(CANCEL, {**LOGIN, "code": phone.wrong()})
    assert_problem(client.post(CANCEL, {**LOGIN, "code": phone.code()}), 429)

    settings.LOCKOUT_FAILURES = 0
    SecondFactor.objects.update(failures=50)
    shut = assert_problem(client.post(CANCEL, {**LOGIN, "code": phone.code()}), 403)
    assert shut["code"] == "reset_required"

    SecondFactor.objects.update(failures=0)
    assert client.post(CANCEL, {**LOGIN, "recovery_code": codes[0]}).status_code == 200


def test_no_half_finished_login_opens_what_is_to_be_deleted(client: APIClient, alice: User) -> None:
    phone, _ = enrol(alice)
    request_deletion(alice, erases=False)
    token = client.post(CANCEL, LOGIN).json()["login_token"]

    assert_problem(finish(client, token, code=phone.code()), 401, "Log in again")


def test_its_personal_tokens_stay_dead(
    client: APIClient, as_user: ApiClient, as_program: ApiClient, alice: User
) -> None:
    program = as_program(alice, "profile:read")
    as_user(alice).post(DELETE, PROOF)
    assert program.get("/auth/me").status_code == 401

    assert client.post(CANCEL, LOGIN).status_code == 200
    assert program.get("/auth/me").status_code == 401
    assert not Session.objects.live().exists()


def test_when_its_time_has_come_it_cannot_stay(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    request_deletion(alice, erases=True)
    token = undo_token()
    later(time_machine, days=14)

    assert_problem(client.post(CANCEL, LOGIN), 401, REFUSED)
    assert_problem(client.post(CANCEL, {"token": token}), 401)
    with pytest.raises(Conflict):
        cancel_deletion(alice, by=alice.pk)
    assert_problem(client.post("/auth/login", LOGIN), 403)


def test_only_a_pending_one_is_withdrawn(alice: User, superuser: User) -> None:
    with pytest.raises(Conflict):
        withdraw_deletion(alice, actor=superuser)
    alice.refresh_from_db()
    assert alice.is_active


def test_blocks_and_reports_stay_as_they_were(
    client: APIClient, as_user: ApiClient, alice: User, bob: User
) -> None:
    BlockFactory(blocker=alice, blocked=bob)
    ReportFactory(reporter=alice)
    request_deletion(alice, erases=True)
    client.post(CANCEL, LOGIN)

    me = as_user(User.objects.get(pk=alice.pk))
    assert len(me.get("/auth/blocks").json()) == len(me.get("/reports").json()) == 1
