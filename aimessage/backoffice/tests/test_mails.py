from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.services.mails import notify
from aimessage.audit.models import Entry
from aimessage.jobs.running import run_due
from aimessage.mail.models import Mail
from aimessage.mail.outbox import post

pytestmark = pytest.mark.django_db

LIST = "/admin/mail/mail/"
BrowserOf = Callable[[User], Client]


@pytest.fixture
def failed(alice: User, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Mail:
    """A mail that the server refuses the address of."""
    User.objects.update(email_verified_at=timezone.now())
    alice.refresh_from_db()
    with monkeypatch.context() as broken:
        broken.setattr("aimessage.mail.jobs.PAUSES", [])
        broken.setattr("aimessage.mail.jobs.send", refuse)
        notify(alice, "address_changed", address="old@example.org")
        run_due("mail")
    return Mail.objects.get()


def refuse(*args: Any) -> None:
    from smtplib import SMTPRecipientsRefused

    raise SMTPRecipientsRefused({"old@example.org": (550, b"No old@example.org here")})


def send_again(desk: Client, *mails: Mail, confirmed: bool = True) -> Any:
    data: dict[str, Any] = {"action": "send_again", "_selected_action": [mail.pk for mail in mails]}
    return desk.post(LIST, data | ({"confirmed": "1"} if confirmed else {}), follow=True)


def test_it_says_why_a_mail_failed_and_nothing_of_its_text(desk: Client, failed: Mail) -> None:
    assert (failed.state, failed.error) == ("failed", "The mail server refuses the address: 550")
    for page in (desk.get(LIST), desk.get(f"{LIST}{failed.pk}/change/")):
        text = page.content.decode()
        assert "The mail server refuses the address: 550" in text
        assert "alice" in text
        for secret in ("old@example.org", failed.uuid.hex, str(failed.uuid)):
            assert secret not in text


def test_it_can_be_sent_again_to_where_it_was_to_go(desk: Client, failed: Mail, mailoutbox: Any) -> None:
    asked = send_again(desk, failed, confirmed=False)
    assert "Send 1 mail again?" in asked.content.decode()
    assert Mail.objects.get().state == "failed"

    send_again(desk, failed)
    assert (Mail.objects.get().state, Mail.objects.get().error) == ("waiting", "")
    run_due("mail")

    assert [message.to for message in mailoutbox] == [["old@example.org"]]
    mail = Mail.objects.get()
    assert (mail.state, mail.address, mail.facts) == ("sent", "", {})
    entry = Entry.objects.get(act="mail.send_again")
    assert (entry.before["state"], entry.after["state"]) == ("failed", "waiting")
    assert "old@" not in str(list(Entry.objects.values()))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "sent"},
        {"state": "waiting"},
        {"state": "dropped"},
        {"user": None},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
)
def test_others_are_left(desk: Client, failed: Mail, changes: dict[str, Any]) -> None:
    Mail.objects.update(**changes)
    before = Mail.objects.values().get()

    assert "Nothing to do" in send_again(desk, failed, confirmed=False).content.decode()
    send_again(desk, failed)

    assert Mail.objects.values().get() == before
    assert not Entry.objects.filter(act="mail.send_again").exists()


def test_of_an_address_that_is_nobodys_nothing_stays(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    post("reset", address="nobody@example.org")
    monkeypatch.setattr("aimessage.mail.jobs.writer_of", lambda kind: None)
    run_due("mail")

    mail = Mail.objects.get()
    assert (mail.state, mail.address, mail.error) == ("failed", "", "Nobody writes mails of the kind reset")


@pytest.mark.parametrize("path", ["", "{pk}/change/"])
def test_it_is_for_superusers_alone(
    browser_of: BrowserOf, failed: Mail, moderator: User, clerk: User, path: str
) -> None:
    for user in (moderator, clerk):
        assert browser_of(user).get(LIST + path.format(pk=failed.pk)).status_code == 403


@pytest.mark.parametrize("path", ["add/", "{pk}/delete/", "{pk}/change/"])
def test_nobody_changes_any(desk: Client, failed: Mail, path: str) -> None:
    assert desk.post(LIST + path.format(pk=failed.pk), {"post": "yes", "state": "sent"}).status_code == 403
    assert Mail.objects.get().state == "failed"


def test_it_is_filtered_by_state_kind_and_user(desk: Client, failed: Mail, bob: User) -> None:
    notify(bob, "deletion_done")
    found = {
        query: desk.get(f"{LIST}?{query}").context["cl"].result_count
        for query in (
            "",
            "state__exact=failed",
            "state__exact=sent",
            "kind=address_changed",
            f"user__id__exact={failed.user_id}",
            f"user__id__exact={bob.pk}",
        )
    }

    assert list(found.values()) == [2, 1, 0, 1, 1, 0]
    assert desk.get(f"{LIST}?address__startswith=old").status_code == 400


def test_a_users_page_shows_their_mails(desk: Client, failed: Mail, bob: User) -> None:
    page = desk.get(f"/admin/accounts/user/{failed.user_id}/change/").content.decode()

    assert "Address changed" in page
    assert f"{LIST}?user__id__exact={failed.user_id}" in page
    assert "old@example.org" not in page
    assert "Address changed" not in desk.get(f"/admin/accounts/user/{bob.pk}/change/").content.decode()
