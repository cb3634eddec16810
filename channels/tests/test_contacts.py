"""Contacts: those who write by SMS or WhatsApp and have no account of their own. Case A26."""

from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from channels.models import Address, Receipt, Thread
from channels.tests.webhook import Twilio, sms, whatsapp
from messaging.models import Conversation, Message
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

STRANGER, STRANGER_WHATSAPP = "+14155550199", "whatsapp:+14155550199"


@pytest.fixture
def front_desk(db: None) -> User:
    return UserFactory(username="desk", full_name="Front Desk")


@pytest.fixture(autouse=True)
def _contacts(twilio_calls: Twilio, set_twilio: Any, front_desk: User) -> None:
    set_twilio(unknown="contact", inbox="desk")


@pytest.fixture
def contact(twilio_calls: Twilio) -> User:
    twilio_calls.post(sms("Good morning", From=STRANGER))
    return User.objects.get(kind="contact")


def test_whoever_writes_twice_is_one_contact_with_one_conversation(
    twilio_calls: Twilio, contact: User, front_desk: User
) -> None:
    twilio_calls.post(sms("Anybody there?", From=STRANGER))

    assert User.objects.filter(kind="contact").count() == 1
    assert Conversation.objects.count() == 1
    told = Message.objects.order_by("pk").values_list("sender", "recipient", "content")
    assert list(told) == [
        (contact.pk, front_desk.pk, "Good morning"),
        (contact.pk, front_desk.pk, "Anybody there?"),
    ]
    assert list(Receipt.objects.values_list("outcome", flat=True)) == ["stored", "stored"]


def test_a_contact_is_called_by_the_name_of_its_profile(twilio_calls: Twilio) -> None:
    twilio_calls.post(whatsapp("Hello", From=STRANGER_WHATSAPP, ProfileName="Zoë\0 \u202eZebra"))
    twilio_calls.post(sms("Hello", From=STRANGER))
    twilio_calls.post(whatsapp("Hello", From="whatsapp:US.1", ProfileName="\u202e\u0000"))

    names = list(User.objects.filter(kind="contact").order_by("pk").values_list("full_name", "phone_number"))
    assert names == [("Zoë Zebra", None), ("…0199", None), (None, None)]


def test_nobody_can_log_in_to_it(client: Any, contact: User) -> None:
    assert not contact.has_usable_password()
    for password in ("", "!", contact.password):
        body = {"username": contact.username, "password": password}
        assert client.post("/auth/login", body).status_code in {400, 401}
    assert client.post("/auth/password/reset", {"email": contact.email}).status_code == 202
    assert not contact.is_staff
    assert not contact.is_superuser


def test_it_is_in_no_directory_and_known_to_whom_it_writes(
    as_user: Any, contact: User, front_desk: User, carol: User
) -> None:
    for user in (front_desk, carol):
        assert as_user(user).get("/auth/directory?search=contact").json() == []
    shown = {"id": contact.pk, "username": contact.username, "full_name": "…0199", "kind": "contact"}
    assert as_user(front_desk).get(f"/auth/people?ids={contact.pk}").json() == [shown]
    assert as_user(carol).get(f"/auth/people?ids={contact.pk}").json() == []
    [conversation] = as_user(front_desk).get("/auth/conversations").json()
    assert (conversation["other_user_id"], conversation["other_user_kind"]) == (contact.pk, "contact")


def test_its_inbox_account_alone_can_write_to_it(
    as_user: Any, contact: User, front_desk: User, carol: User, superuser: User
) -> None:
    body = {"recipient_id": contact.pk, "content": "How can I help?"}
    for user in (carol, superuser):
        answer = as_user(user).post("/messages", body)
        assert (answer.status_code, answer.json()["detail"]) == (404, "Recipient not found")
        nobody = as_user(user).post("/messages", {**body, "recipient_id": 2**40})
        assert answer.json() == nobody.json()
        there = f"/auth/conversations/team:{user.pk}/messages"
        assert as_user(user).post(there, body).status_code == 404
    assert as_user(front_desk).post("/messages", body).status_code == 201
    assert Conversation.objects.count() == 1


def test_that_holds_where_twilio_is_off(as_user: Any, contact: User, carol: User, settings: Settings) -> None:
    settings.TWILIO = None

    body = {"recipient_id": contact.pk, "content": "Hello"}
    assert as_user(carol).post("/messages", body).status_code == 404


def test_what_is_nothing_makes_no_contact(twilio_calls: Twilio) -> None:
    twilio_calls.post(sms("   ", From=STRANGER))
    twilio_calls.post(sms("STOP", From=STRANGER))
    twilio_calls.post(sms("HELP", From="+14155550198"))

    assert not User.objects.filter(kind="contact").exists()
    assert list(Receipt.objects.order_by("pk").values_list("outcome", flat=True)) == [
        "empty",
        "keyword",
        "keyword",
    ]


def test_a_contact_is_made_of_who_wants_no_messages_and_gets_none(
    twilio_calls: Twilio, as_user: Any, front_desk: User
) -> None:
    twilio_calls.post(sms("STOP", From=STRANGER))
    twilio_calls.post(sms("But hear me", From=STRANGER))

    contact = User.objects.get(kind="contact")
    assert Address.objects.get(user=contact).opted_out
    assert list(Receipt.objects.order_by("pk").values_list("outcome", flat=True))[1] == "unanswered"


def test_a_contact_that_is_disabled_is_not_heard(twilio_calls: Twilio, contact: User) -> None:
    User.objects.filter(pk=contact.pk).update(is_active=False)
    twilio_calls.post(sms("Still there?", From=STRANGER))

    assert Message.objects.count() == 1
    assert User.objects.filter(kind="contact").count() == 1


def test_contacts_are_still_heard_when_others_are_ignored(
    twilio_calls: Twilio, set_twilio: Any, contact: User
) -> None:
    set_twilio(unknown="ignore")
    twilio_calls.post(sms("Me again", From=STRANGER))
    twilio_calls.post(sms("And me", From="+14155550198"))

    assert Message.objects.filter(sender=contact).count() == 2
    assert Message.objects.count() == 2


def test_an_id_of_whatsapp_is_the_same_contact(twilio_calls: Twilio) -> None:
    twilio_calls.post(whatsapp("One", From=STRANGER_WHATSAPP, ExternalUserId="US.1349"))
    twilio_calls.post(whatsapp("Two", From="whatsapp:US.1349"))

    assert User.objects.filter(kind="contact").count() == 1
    assert Thread.objects.get().reply_to == "whatsapp:US.1349"
