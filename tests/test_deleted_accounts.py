"""After an account is deleted its names, address and number are in no table."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session as AdminSession
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import ExternalIdentity, PendingDeletion, User
from accounts.services.leaving import request_deletion, sweep
from accounts.services.users import delete_user
from accounts.tests.mailbox import deliver
from aimessage.audit.chain import current_head, verify_chain
from aimessage.audit.models import Entry
from channels.codes import code_of
from channels.models import LinkCode
from channels.tests.webhook import PUBLIC, Twilio, sms
from conftest import ApiClient
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

USERS, REPORTS = "/admin/accounts/user/", "/admin/reports/report/"
#: In whatever case, and whole words of the name alone, too.
PERSONAL = ["zebulon", "quackenbush", "zq@mail.example", "4915112345678", "oldname", "second.name"]


def found() -> list[str]:
    """Where anything of PERSONAL stands, in any column of any table."""
    places = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  names that the database gave
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, value in zip(columns, row, strict=True):
                    if any(text in str(value).lower() for text in PERSONAL):
                        places.append(f"{table}.{column}: {value}")
    for session in AdminSession.objects.all():
        data = str(session.get_decoded()).lower()
        places += [f"session: {data}" for text in PERSONAL if text in data]
    return places


def by_page(desk: Client, user: User, superuser: User) -> None:
    assert desk.post(f"{USERS}{user.pk}/delete/", {"post": "yes"}).status_code == 302


def in_bulk(desk: Client, user: User, superuser: User) -> None:
    other = UserFactory()
    form = {"action": "delete_selected", "_selected_action": [other.pk, user.pk], "post": "yes"}
    assert desk.post(USERS, form).status_code == 302


def by_service(desk: Client, user: User, superuser: User) -> None:
    delete_user(user, actor=superuser)


def at_their_wish(desk: Client, user: User, superuser: User) -> None:
    request_deletion(user, erases=False)
    PendingDeletion.objects.update(deletion_at=timezone.now())
    assert sweep() == {"accounts whose time had come": 1}
    deliver()  # until the last mail is sent, its row has the address


@pytest.fixture
def zebulon(superuser: User) -> User:
    return UserFactory(
        username="oldname",
        email="zq@mail.example",
        full_name="Zebulon Quackenbush",
        phone_number="+4915112345678",
        is_superuser=True,
    )


@pytest.mark.usefixtures("channels_on")
@pytest.mark.parametrize("delete", [by_page, in_bulk, by_service, at_their_wish])
def test_nothing_of_a_deleted_account_is_left(
    browser_of: Callable[[User], Client],
    as_user: ApiClient,
    superuser: User,
    moderator: User,
    alice: User,
    zebulon: User,
    delete: Callable[[Client, User, User], None],
    settings: Settings,
) -> None:
    settings.PUBLIC_URLS = [PUBLIC]
    desk, work = browser_of(superuser), browser_of(moderator)
    live_a_life(desk, work, as_user, alice, zebulon)
    assert {place.split(":")[0] for place in found()} >= {
        "channels_address.value",
        "channels_alias.value",
        "channels_thread.reply_to",
        "accounts_user.username",
        "accounts_user.email_pending",
        "accounts_personaltoken.name",
        "accounts_externalidentity.subject",
        "accounts_invitation.email",
        "mail_mail.address",
        "accounts_user.phone_number",
        "audit_entry.actor_name",
        "audit_entry.target_label",
        "audit_entry.before",
        "audit_entry.after",
    }
    facts = list(Entry.objects.order_by("pk").values_list("pk", "created_at", "actor_id", "act", "target_id"))
    head = current_head()

    delete(desk, User.objects.get(pk=zebulon.pk), superuser)

    assert found() == []
    stayed = Entry.objects.filter(pk__lte=head.number).order_by("pk")
    assert list(stayed.values_list("pk", "created_at", "actor_id", "act", "target_id")) == facts
    list(verify_chain(current_head(), expected=head))
    desk.get("/admin/")  # which tells, once, who was changed and deleted
    for page in ("/admin/", "/admin/audit/entry/", f"{USERS}{zebulon.pk}/history/", REPORTS):
        shown = desk.get(page, follow=True).content.decode().lower()
        assert not [text for text in PERSONAL if text in shown]


def write_by_phone(client: APIClient) -> None:
    """Links the number by SMS, and WhatsApp by a code; asks for another code, and is written to."""
    link = "/auth/me/phone/link"
    client.post(link, {"method": "sms", "phone_number": "+4915112345678"})
    client.put(link, {"code": code_of(LinkCode.objects.get())})
    twilio = Twilio("token-of-the-account-0123456789", Client())
    whatsapp = {"From": "whatsapp:+4915112345678", "ProfileName": "Zebulon", "ExternalUserId": "US.Zebulon1"}
    for fields in (
        {"From": "+4915112345678"},
        {**whatsapp, "Body": client.post(link, {"method": "text"}).json()["code"]},
        {**whatsapp, "Body": "Good morning."},
        {"From": "+4915112345678", "Body": "STOP"},
        {**whatsapp, "Body": "HELP"},
    ):
        assert twilio.post(sms(**fields)).status_code == 200
    client.post(link, {"method": "text"})


def use_the_account(client: APIClient, desk: Client, user: User) -> None:
    """Has mails sent there, and to another address; makes a token; is an own user of another app, too."""
    for address in ("zq@mail.example", "ZQ@Mail.Example"):
        for path in ("/auth/password/reset", "/auth/email/resend"):
            assert client.post(path, {"email": address}).status_code == 202
        form = {"email": address, "max_uses": 1, "days": 7, "note": "", "role": ""}
        assert desk.post("/admin/accounts/invitation/add/", form).status_code == 302
    deliver()
    for number in range(2):
        # One more is sent, the other waits.
        assert client.post("/auth/password/reset", {"email": "zq@mail.example"}).status_code == 202
        proof = {"current_password": PASSWORD}
        pending = {"email": f"zebulon{number}@mail.example"}
        assert client.put("/auth/me/email", {**pending, **proof}).status_code == 202
        token = {"name": f"Zebulon's backup {number}", "scopes": ["messages:read"]}
        assert client.post("/auth/tokens", {**token, **proof}).status_code == 201
        assert client.post("/auth/email/resend", {"email": pending["email"]}).status_code == 202
        if not number:
            deliver()
    ExternalIdentity.objects.create(user=user, issuer="https://app.example.org", subject="zebulon.4711")


def live_a_life(desk: Client, work: Client, as_user: ApiClient, alice: User, zebulon: User) -> None:
    """Everything by which an account may leave a trace."""
    own_desk = Client()
    login: dict[str, Any] = {"username": "oldname", "password": PASSWORD}
    assert own_desk.post("/admin/login/", login).status_code == 302
    page = f"{USERS}{zebulon.pk}/change/"
    form = {"email": "zq@mail.example", "full_name": "Zebulon Quackenbush", "phone_number": "+4915112345678"}
    flags = {"is_active": "on", "is_superuser": "on"}
    assert desk.post(page, {**form, **flags, "username": "second.name"}).status_code == 302
    assert (
        desk.post(page, {**form, **flags, "username": "zebulon", "bio": "I am Zebulon."}).status_code == 302
    )
    client = as_user(User.objects.get(pk=zebulon.pk))
    write_by_phone(client)
    use_the_account(client, desk, zebulon)
    insult = client.post("/messages", {"recipient_id": alice.pk, "content": "You fool."}).json()
    said = as_user(alice).post("/messages", {"recipient_id": zebulon.pk, "content": "Stop it."}).json()
    against = {"title": "Insults", "content": "See there.", "message_id": insult["id"]}
    about = as_user(alice).post("/reports", against, headers={"Idempotency-Key": "k"}).json()
    filed = client.post("/reports", {"title": "Rude", "content": "So rude.", "message_id": said["id"]}).json()
    for report in (about, filed):
        work.get(f"{REPORTS}{report['id']}/change/")
    own_desk.post(f"{REPORTS}{about['id']}/claim/")
    work.post(f"{REPORTS}{filed['id']}/claim/")
    other = as_user(alice).post("/reports", {"title": "Another", "content": "x"}).json()
    own_desk.post(f"{REPORTS}{other['id']}/resolve/", {"comment": "Done."})
    gone = client.post("/reports", {"title": "Gone", "content": "x", "message_id": said["id"]}).json()
    desk.post(f"{REPORTS}{gone['id']}/delete/", {"post": "yes"})
    for name in ("zebulon", "ZEBULON", "zq@mail.example"):
        Client().post("/auth/login", {"username": name, "password": "x"}, content_type="application/json")
        Client().post("/admin/login/", {"username": name, "password": "x"})
    desk.post(f"{USERS}{zebulon.pk}/unlock/", {"address": "127.0.0.1"})
    Client().post("/auth/login", {"username": "zebulon", "password": "x"}, content_type="application/json")
    desk.get("/admin/audit/entry/export/?q=zebulon").getvalue()  # type: ignore[attr-defined]
    for action in ("end_sessions", "unlock"):
        desk.post(USERS, {"action": action, "_selected_action": [zebulon.pk], "confirmed": "yes"})
    client.post("/auth/blocks", {"user_id": alice.pk})
    own_desk.post(f"{USERS}{alice.pk}/end-sessions/")
