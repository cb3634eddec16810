"""Mails on their way: to a real server on loopback, into files, and again where that fails."""

import email
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings
from time_machine import TimeMachineFixture

from accounts.models import PendingDeletion, User
from accounts.services.mails import NOTICES, notify
from accounts.tests.mailbox import TOKEN
from aimessage.jobs.models import Job
from aimessage.jobs.running import run_due
from aimessage.mail.backends import FileBackend
from aimessage.mail.models import Mail
from aimessage.mail.outbox import post, sweep
from tests.ports import free_port

pytestmark = pytest.mark.django_db


class Inbox:
    """Answers each mail with the next of `replies`, and takes it where there is none."""

    def __init__(self) -> None:
        self.replies: list[str] = []
        self.refused: list[str] = []
        self.mails: list[Any] = []

    async def handle_RCPT(  # noqa: N802  aiosmtpd's
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refused:
            return self.refused.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(email.message_from_bytes(envelope.content))
        return self.replies.pop(0) if self.replies else "250 OK"


@pytest.fixture
def inbox(settings: Settings) -> Iterator[Inbox]:
    handler, port = Inbox(), free_port()
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    yield handler
    server.stop()


@pytest.fixture(autouse=True)
def _verified(alice: User) -> None:
    alice.email_verified_at = timezone.now()
    alice.save(update_fields=["email_verified_at"])


def test_it_arrives_as_text_and_as_html(inbox: Inbox, alice: User) -> None:
    notify(alice, "password_changed")
    run_due("mail")
    (mail,) = inbox.mails
    text, html = mail.get_payload()

    assert mail["To"] == alice.email
    assert mail["Subject"] == "Your AI Messaging password was changed"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert Mail.objects.get().state == "sent"


def test_it_is_tried_again_with_the_same_message_id(
    inbox: Inbox, alice: User, time_machine: TimeMachineFixture
) -> None:
    inbox.replies = ["451 Later", "421 Later", "554 Spam", "451 Later", "451 Later"]
    notify(alice, "password_changed")
    now = timezone.now()
    pauses = []
    for _ in range(6):
        time_machine.move_to(now, tick=False)
        run_due("mail")
        job = Job.objects.get()
        if job.status == "READY":
            pauses.append((job.run_after - now) / timedelta(minutes=1))
            now = job.run_after + timedelta(seconds=1)

    # Each is stretched by up to 2 %.
    assert pauses == [pytest.approx(minutes * 1.01, rel=0.011) for minutes in (1, 5, 30, 120, 360)]
    assert len({mail["Message-ID"] for mail in inbox.mails}) == 1
    assert len(inbox.mails) == 6
    assert Mail.objects.get().state == "sent"


def test_it_gives_up_after_six_tries(inbox: Inbox, alice: User, time_machine: TimeMachineFixture) -> None:
    inbox.replies = ["451 Later"] * 9
    notify(alice, "password_changed")
    for hours in range(0, 48, 8):
        time_machine.move_to(timezone.now() + timedelta(hours=hours), tick=False)
        run_due("mail")

    assert len(inbox.mails) == 6
    assert Mail.objects.get().state == "failed"


def test_an_address_that_the_server_refuses_is_not_tried_again(inbox: Inbox, alice: User) -> None:
    inbox.refused = ["550 No such user"]
    notify(alice, "password_changed")
    run_due("mail")

    assert Mail.objects.get().state == "failed"
    assert alice.email not in str(list(Job.objects.values()))


def test_a_server_that_is_gone_leaves_no_address_in_the_job(settings: Settings, alice: User) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 21899
    notify(alice, "password_changed")
    run_due("mail")

    assert Mail.objects.get().state == "waiting"
    assert "ConnectionRefusedError" in Job.objects.get().traceback


def test_a_reset_comes_within_its_hour_or_not_at_all(
    inbox: Inbox, alice: User, time_machine: TimeMachineFixture
) -> None:
    post("reset", address=alice.email, lifetime=timedelta(hours=1))
    time_machine.move_to(timezone.now() + timedelta(minutes=61), tick=False)
    run_due("mail")

    assert inbox.mails == []
    assert Mail.objects.get().state == "dropped"


def test_a_reset_is_not_tried_again_after_its_hour(
    inbox: Inbox, alice: User, time_machine: TimeMachineFixture
) -> None:
    inbox.replies = ["451 Later"] * 9
    post("reset", address=alice.email, lifetime=timedelta(hours=1))
    start = timezone.now()
    for minutes in (0, 2, 8, 40, 160, 530):
        time_machine.move_to(start + timedelta(minutes=minutes), tick=False)
        run_due("mail")

    assert len(inbox.mails) == 4
    assert len({mail["Message-ID"] for mail in inbox.mails}) == 1
    assert len({TOKEN.findall(str(mail.get_payload(0)))[0] for mail in inbox.mails}) == 1
    assert Mail.objects.get().state == "dropped"


def test_of_a_transaction_that_is_rolled_back_no_mail_goes_out(inbox: Inbox, alice: User) -> None:
    from django.db import transaction

    with transaction.atomic():
        notify(alice, "password_changed")
        transaction.set_rollback(True)
    run_due("mail")

    assert inbox.mails == []


@pytest.mark.parametrize("kind", NOTICES)
def test_every_notice_can_be_read(inbox: Inbox, alice: User, kind: str) -> None:
    context = {}
    if kind == "deletion_begun":
        context["deletion_at"] = timezone.now() + timedelta(days=14)
        PendingDeletion.objects.create(user=alice, **context)
    notify(alice, kind, **context, name='<b>"x"</b>', left=0)
    if kind == "deletion_done":
        alice.delete()
    run_due("mail")
    (mail,) = inbox.mails
    texts = [part.get_payload(decode=True).decode() for part in mail.get_payload()]

    assert mail["To"] == "alice@example.org"
    assert all("alice" in text for text in texts)
    assert all("{{" not in text and "<b>" not in texts[1] for text in texts)
    assert ("/account/undelete?token=" in texts[0]) == (kind == "deletion_begun")
    assert "alice@" not in str(list(Mail.objects.values()))


def test_an_address_that_is_not_verified_is_told_of_its_deletion_alone(inbox: Inbox, bob: User) -> None:
    for kind in NOTICES:
        notify(bob, kind)

    assert set(Mail.objects.values_list("kind", flat=True)) == {"deletion_begun", "deletion_done"}


def test_files_sort_by_time_and_are_their_owners_alone(tmp_path: Path) -> None:
    backend = FileBackend(file_path=tmp_path / "outbox")
    for number in range(5):
        backend.send_messages([EmailMessage(f"mail {number}", "Text", "a@b.de", ["c@d.de"])])
    files = sorted((tmp_path / "outbox").iterdir())

    subjects = [email.message_from_bytes(file.read_bytes())["Subject"] for file in files]
    assert subjects == [f"mail {number}" for number in range(5)]
    assert {file.suffix for file in files} == {".eml"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "outbox").stat().st_mode & 0o777 == 0o700


def test_old_mails_are_swept(alice: User) -> None:
    notify(alice, "password_changed")
    Mail.objects.update(created_at=timezone.now() - timedelta(days=31))

    assert sweep(dry_run=True) == sweep() == {"mails": 1}
    assert not Mail.objects.exists()


def doctor(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    with suppress(SystemExit):
        call_command("doctor", "--json", *arguments, stdout=out)
    return {row["check"]: row for row in json.loads(out.getvalue())}


def test_the_doctor_sends_a_mail(inbox: Inbox) -> None:
    assert doctor("--mail", "root@example.org")["mail sent"]["state"] == "ok"
    assert inbox.mails[0]["To"] == "root@example.org"

    inbox.refused = ["550 No such user"]
    refused = doctor("--mail", "root@example.org")["mail sent"]
    assert (refused["state"], "550" in refused["found"]) == ("error", True)
    assert doctor("--mail", "nonsense")["mail sent"]["state"] == "error"
    assert "mail sent" not in doctor()
