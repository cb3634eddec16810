"""What each act leaves in the log, word for word: who watches for break-ins greps for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.guesses import forget_failures
from accounts.models import FailedLogin, Invitation, RefreshToken, Role, Session, User
from accounts.services.invitations import make_invitation, withdraw_invitation
from accounts.services.roles import assign_roles, delete_role, give_role
from accounts.services.users import (
    delete_user,
    disable_user,
    enable_user,
    grant_superuser,
    set_password,
    withdraw_superuser,
)
from conftest import ApiClient
from messaging.models import Message
from reports.models import Report
from reports.services import claim_report, disable_sender, end_senders_sessions, moderate_report
from tests.factories import PASSWORD, MessageFactory, ReportFactory

pytestmark = pytest.mark.django_db

#: Level and text of what was logged since the last look.
Said = Callable[[str], list[tuple[str, str]]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    for logger in ("auth", "messages", "reports"):
        caplog.set_level("INFO", logger=logger)

    def look(logger: str) -> list[tuple[str, str]]:
        found = [(one.levelname, one.getMessage()) for one in caplog.records if one.name == logger]
        caplog.clear()
        return found

    return look


def info(*lines: str) -> list[tuple[str, str]]:
    return [("INFO", line) for line in lines]


def warning(*lines: str) -> list[tuple[str, str]]:
    return [("WARNING", line) for line in lines]


# --- Logins and sessions ---


def test_a_registration_and_a_login(client: APIClient, said: Said, db: None) -> None:
    account = {"username": "dora", "email": "dora@example.org", "password": PASSWORD}
    assert client.post("/auth/register", account).status_code == 201
    dora = User.objects.get()
    assert said("auth") == info(f"registered: user={dora.pk}")

    client.post("/auth/login", account, REMOTE_ADDR="192.0.2.7")
    session = Session.objects.get()
    assert said("auth") == info(f"login: user={dora.pk} session={session.pk} address=192.0.2.7")


def test_failed_logins_and_the_lockout_that_they_end_in(client: APIClient, said: Said, alice: User) -> None:
    wrong = {"username": "Alice", "password": "wrong-password"}
    failed = "login failed: username=alice address=192.0.2.7"
    for _ in range(4):
        client.post("/auth/login", wrong, REMOTE_ADDR="192.0.2.7")
        assert said("auth") == warning(failed)

    client.post("/auth/login", wrong, REMOTE_ADDR="192.0.2.7")
    assert said("auth") == warning(failed, "login locked: username=alice address=192.0.2.7")

    client.post("/auth/login", wrong, REMOTE_ADDR="192.0.2.7")
    assert said("auth") == []


def test_failures_that_are_forgotten(client: APIClient, said: Said, alice: User, superuser: User) -> None:
    for address in ("192.0.2.7", "192.0.2.7", "192.0.2.8"):
        client.post("/auth/login", {"username": "alice", "password": "wrong"}, REMOTE_ADDR=address)
    said("auth")

    assert len(forget_failures(FailedLogin.objects.all(), by=superuser.pk)) == 3

    line = "failed logins forgotten: username=alice address={} by={}"
    assert sorted(said("auth")) == info(
        line.format("192.0.2.7", superuser.pk), line.format("192.0.2.8", superuser.pk)
    )


def test_a_refresh_and_a_token_that_comes_back(
    client: APIClient, as_user: ApiClient, said: Said, alice: User
) -> None:
    phone = as_user(alice)
    body = {"refresh_token": phone.tokens.refresh_token}
    said("auth")

    client.post("/auth/refresh", body)
    assert said("auth") == info(f"refresh: user={alice.pk} session={phone.session_row.pk}")

    client.post("/auth/refresh", body)
    assert said("auth") == []

    used = RefreshToken.objects.filter(is_used=True)
    used.update(used_at=timezone.now() - timedelta(minutes=1))
    client.post("/auth/refresh", body)
    ended = f"session ended: user={alice.pk} session={phone.session_row.pk} reason=refresh token reused"
    assert said("auth") == info(ended)


def test_logouts(as_user: ApiClient, said: Said, alice: User) -> None:
    phone, laptop, tablet = (as_user(alice) for _ in range(3))
    said("auth")

    def ended(client: Any, reason: str) -> str:
        return f"session ended: user={alice.pk} session={client.session_row.pk} reason={reason}"

    phone.post("/auth/logout")
    assert said("auth") == info(ended(phone, "logout"))

    laptop.post("/auth/logout-all")
    assert sorted(said("auth")) == info(
        ended(laptop, "logout everywhere"), ended(tablet, "logout everywhere")
    )


def test_a_change_of_password(as_user: ApiClient, said: Said, alice: User) -> None:
    phone, laptop = as_user(alice), as_user(alice)
    said("auth")

    phone.put("/auth/me/password", {"current_password": PASSWORD, "new_password": "amber-kettle-77"})

    ended = f"session ended: user={alice.pk} session={laptop.session_row.pk} reason=password changed"
    assert said("auth") == info(ended, f"password changed: user={alice.pk}")


# --- What superusers do to accounts ---


def test_disabling_and_enabling(as_user: ApiClient, said: Said, alice: User, superuser: User) -> None:
    session = as_user(alice).session_row
    said("auth")

    disable_user(alice, actor=superuser)
    assert said("auth") == info(
        f"changed: user={alice.pk} is_active=False by={superuser.pk}",
        f"session ended: user={alice.pk} session={session.pk} reason=disabled",
    )

    disable_user(alice, actor=superuser)
    assert said("auth") == []

    enable_user(alice, actor=superuser)
    assert said("auth") == info(f"changed: user={alice.pk} is_active=True by={superuser.pk}")


def test_making_a_superuser_and_an_ordinary_one_again(said: Said, alice: User, superuser: User) -> None:
    grant_superuser(alice, actor=superuser)
    assert said("auth") == info(f"changed: user={alice.pk} is_superuser=True is_staff=True by={superuser.pk}")

    withdraw_superuser(alice, actor=superuser)
    assert said("auth") == info(f"changed: user={alice.pk} is_superuser=False by={superuser.pk}")


def test_deleting_and_a_password_that_is_set_for_somebody(said: Said, alice: User, superuser: User) -> None:
    set_password(alice, "amber-kettle-77")
    assert said("auth") == info(f"password changed: user={alice.pk}")

    pk = alice.pk
    delete_user(alice, actor=superuser)
    assert said("auth") == info(f"deleted: user={pk} by={superuser.pk}")


def test_roles(said: Said, alice: User, superuser: User) -> None:
    readers, writers = (Role.objects.create(name=name) for name in ("readers", "writers"))
    by = f"by={superuser.pk}"

    assign_roles(alice, [readers, writers], actor=superuser)
    assert said("auth") == info(f"roles assigned: user={alice.pk} roles=readers, writers {by}")
    assign_roles(alice, [], actor=superuser)
    assert said("auth") == info(f"roles assigned: user={alice.pk} roles=none {by}")
    give_role(alice, role=readers, actor=superuser)
    assert said("auth") == info(f"role given: user={alice.pk} role=readers {by}")
    pk = writers.pk
    delete_role(writers, actor=superuser)
    assert said("auth") == info(f"role deleted: role={pk} name=writers {by}")


# --- Personal tokens and invitations ---


def test_a_personal_token_is_made_and_revoked(as_user: ApiClient, said: Said, alice: User) -> None:
    me = as_user(alice)
    said("auth")
    body = {"name": "Backup", "scopes": ["people:read", "messages:read"], "current_password": PASSWORD}

    pk = me.post("/auth/tokens", body).json()["id"]
    token = f"user={alice.pk} token={pk}"
    assert said("auth") == info(f"personal token made: {token} scopes=people:read,messages:read")
    me.delete(f"/auth/tokens/{pk}")
    assert said("auth") == info(f"personal token revoked: {token} reason=revoked by its user")


def test_an_invitation_is_made_used_and_withdrawn(client: APIClient, said: Said, superuser: User) -> None:
    invitation = Invitation(max_uses=2)
    code = make_invitation(invitation, actor=superuser, days=1)
    by = f"invitation={invitation.pk} by={superuser.pk}"
    assert said("auth") == info(f"invitation made: {by}")

    account = {"username": "dora", "email": "dora@example.org", "password": PASSWORD, "invitation": code}
    pk = client.post("/auth/register", account).json()["id"]
    assert said("auth") == info(f"registered: user={pk} invitation={invitation.pk}")

    withdraw_invitation(invitation, actor=superuser)
    assert said("auth") == info(f"invitation withdrawn: {by}")


# --- Messages ---


def test_a_message_from_its_sending_to_its_deletion(
    as_user: ApiClient, said: Said, alice: User, bob: User
) -> None:
    sender, recipient = as_user(alice), as_user(bob)
    body = {"recipient_id": bob.pk, "content": "hello"}
    for first in ("sent", "replayed"):
        sender.post("/messages", body, HTTP_IDEMPOTENCY_KEY="key-1")
        message = Message.objects.get()
        people = f"sender={alice.pk} recipient={bob.pk}"
        assert said("messages") == info(
            f"{first}: message={message.pk} conversation={message.conversation_id} {people}"
        )

    sender.put(f"/messages/{message.pk}", {"content": "hello there"})
    assert said("messages") == info(f"edited: message={message.pk} sender={alice.pk}")

    recipient.put("/messages/read-all")
    assert said("messages") == info(f"read: messages=1 reader={bob.pk}")

    sender.delete(f"/messages/{message.pk}")
    assert said("messages") == info(f"deleted: message={message.pk} actor={alice.pk}")


def test_blocks(as_user: ApiClient, said: Said, alice: User, bob: User) -> None:
    client = as_user(alice)
    client.post("/auth/blocks", {"user_id": bob.pk})
    assert said("messages") == info(f"blocked: blocker={alice.pk} blocked={bob.pk}")
    client.post("/auth/blocks", {"user_id": bob.pk})
    assert said("messages") == []
    client.delete(f"/auth/blocks/{bob.pk}")
    assert said("messages") == info(f"unblocked: blocker={alice.pk} blocked={bob.pk}")
    client.delete(f"/auth/blocks/{bob.pk}")
    assert said("messages") == []


# --- Reports ---


def test_a_report_from_its_filing_to_its_end(
    as_user: ApiClient, said: Said, alice: User, bob: User, moderator: User
) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)
    body = {"title": "Insults", "content": "Make him stop.", "message_id": message.pk}
    for first in ("filed", "replayed"):
        client.post("/reports", body, HTTP_IDEMPOTENCY_KEY="key-1")
        report = Report.objects.get()
        assert said("reports") == info(
            f"{first}: report={report.pk} reporter={alice.pk} message={message.pk}"
        )

    client.put(f"/reports/{report.pk}", {"title": "An insult"})
    assert said("reports") == info(f"updated: report={report.pk} reporter={alice.pk}")
    client.put(f"/reports/{report.pk}", {})
    assert said("reports") == []

    claim_report(report, actor=moderator)
    assert said("reports") == info(f"claimed: report={report.pk} by={moderator.pk}")
    moderate_report(report, actor=moderator, status="resolved")
    assert said("reports") == info(f"moderated: report={report.pk} status=resolved by={moderator.pk}")


def test_what_is_done_about_the_sender(
    as_user: ApiClient, said: Said, alice: User, bob: User, moderator: User
) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    report = ReportFactory(reporter=alice, message=message, message_sender_id=bob.pk)
    session = as_user(bob).session_row
    about = f"report={report.pk} user={bob.pk} by={moderator.pk}"
    said("auth")

    end_senders_sessions(report, actor=moderator)
    reason = f"ended by user {moderator.pk} over report {report.pk}"
    assert said("auth") == info(f"session ended: user={bob.pk} session={session.pk} reason={reason}")

    end_senders_sessions(report, actor=moderator)
    assert said("reports") == info(f"sender logged out: {about}")
    disable_sender(report, actor=moderator)
    assert said("reports") == info(f"sender disabled: {about}")
