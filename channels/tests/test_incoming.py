"""What becomes of messages that come in."""

import logging
from typing import Any

import pytest

from accounts.models import User
from aimessage.events.models import Event
from aimessage.tests.asserts import assert_problem
from channels.models import Channel, Receipt, Sender, Thread
from channels.tests.incoming import Outcome, contents, outcomes
from channels.tests.webhook import ANN_SMS, ANN_WHATSAPP, OURS, OURS_WHATSAPP, Twilio, sms, whatsapp
from messaging.aliases import ACCOUNTS
from messaging.models import Conversation, Message, default_conversation_id
from messaging.services import extensions
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ann_linked")]


def test_a_message_is_its_senders_in_the_ordinary_conversation(
    twilio_calls: Twilio, ann: User, bot: User, as_user: Any
) -> None:  # A01
    fields = sms("Hello")
    twilio_calls.post(fields)

    message = Message.objects.get()
    assert (message.sender, message.recipient, message.content) == (ann, bot, "Hello")
    assert (message.conversation_id, message.is_read) == (default_conversation_id(ann.pk, bot.pk), False)
    receipt = Receipt.objects.get()
    assert (receipt.message_sid, receipt.outcome, receipt.message) == (
        fields["MessageSid"],
        "stored",
        message,
    )
    assert as_user(ann).get("/messages/sent").json()[0]["content"] == "Hello"


def test_both_hear_of_it(twilio_calls: Twilio, ann: User, bot: User) -> None:
    Event.objects.all().delete()
    twilio_calls.post(sms("Hello"))

    heard = Event.objects.filter(kind="message.created").values_list("user_id", "message_id")
    assert set(heard) == {(user.pk, Message.objects.get().pk) for user in (ann, bot)}


def test_sms_and_whatsapp_are_one_conversation(twilio_calls: Twilio, ann: User, bot: User) -> None:  # A20
    twilio_calls.post(sms("By SMS"))
    twilio_calls.post(whatsapp("By WhatsApp"))

    assert contents() == ["By SMS", "By WhatsApp"]
    assert Conversation.objects.count() == 1
    threads = Thread.objects.order_by("pk").values_list("reply_to", "sender__address", "inbox")
    assert list(threads) == [(ANN_SMS, OURS, bot.pk), (ANN_WHATSAPP, OURS_WHATSAPP, bot.pk)]


def test_two_devices_share_the_conversation(
    twilio_calls: Twilio, ann: User, bot: User, as_user: Any
) -> None:  # A50
    twilio_calls.post(sms("By SMS"))
    as_user(ann).post("/messages", {"recipient_id": bot.pk, "content": "By app"})

    assert contents() == ["By SMS", "By app"]
    assert Conversation.objects.count() == 1
    assert list(Receipt.objects.values_list("message__content", flat=True)) == ["By SMS"]


def test_the_pool_and_number_that_were_written_to_are_remembered(twilio_calls: Twilio) -> None:  # A09, A10
    pool = "MG" + "3" * 32
    twilio_calls.post(sms(MessagingServiceSid=pool, To="+15005550099"))
    twilio_calls.post(sms(MessagingServiceSid=pool, To="+15005550099"))

    sender = Sender.objects.get()
    assert (sender.address, sender.messaging_service_sid) == ("+15005550099", pool)
    thread = Thread.objects.get()
    assert (thread.sender, thread.messaging_service_sid) == (sender, pool)
    assert Message.objects.count() == 2


def test_a_number_may_have_an_inbox_of_its_own(twilio_calls: Twilio, ann: User, carol: User) -> None:
    twilio_calls.post(sms("One"))
    Sender.objects.update(inbox=carol)
    twilio_calls.post(sms("Two"))

    assert Message.objects.get(content="Two").recipient == carol
    assert Thread.objects.get().inbox == carol


def test_the_assistant_is_written_to_where_no_inbox_is_named(
    twilio_calls: Twilio, set_twilio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_twilio(inbox="")
    assistant = UserFactory(username="assistant", kind=User.Kind.BOT)
    monkeypatch.setitem(ACCOUNTS, -1, lambda: assistant.pk)

    twilio_calls.post(sms())
    assert Message.objects.get().recipient == assistant


@pytest.mark.parametrize("gone", ["nobody", "disabled"])
def test_without_an_inbox_nothing_is_stored_and_the_log_says_so(
    twilio_calls: Twilio, set_twilio: Any, bot: User, gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    if gone == "nobody":
        set_twilio(inbox="nobody")
    User.objects.filter(pk=bot.pk).update(is_active=gone != "disabled")
    logging.getLogger("twilio_webhook").addHandler(caplog.handler)

    assert twilio_calls.post(sms()).status_code == 200
    assert (outcomes(), Message.objects.count()) == ([Outcome.REFUSED], 0)
    logging.getLogger("twilio_webhook").removeHandler(caplog.handler)
    assert "no inbox" in caplog.text


def test_a_message_is_taken_once(twilio_calls: Twilio) -> None:  # A17
    fields = sms()
    for _ in range(3):
        answer = twilio_calls.post(fields)
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml")
    assert twilio_calls.post({**fields, "Body": "Something else"}).status_code == 200

    assert (Message.objects.count(), Receipt.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, "stored"),
        ({"From": "+14155550199"}, "unknown"),
        ({"From": "whatsapp:US.1349"}, "unknown"),
        ({"Body": "STOP"}, "keyword"),
        ({"Body": "HELP"}, "keyword"),
        ({"From": ANN_WHATSAPP, "Body": "From somebody opted out"}, "unanswered"),
        ({"Body": ""}, "empty"),
    ],
)
def test_every_genuine_message_gets_the_same_answer(
    twilio_calls: Twilio, fields: dict[str, str], outcome: str
) -> None:
    twilio_calls.post(whatsapp("STOP"))
    answer = twilio_calls.post(sms(**{"Body": "Hello", **fields}))

    assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml")
    assert answer.content.decode() == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert outcomes()[1:] == [outcome]


def test_what_breaks_before_the_commit_is_taken_the_next_time(
    twilio_calls: Twilio, monkeypatch: pytest.MonkeyPatch
) -> None:  # A18
    def die(message: Message, receiver: extensions.Receiver) -> None:
        raise KeyboardInterrupt

    fields = sms()
    monkeypatch.setattr(extensions, "followers", [die])
    with pytest.raises(KeyboardInterrupt):
        twilio_calls.post(fields)
    assert (Message.objects.count(), Receipt.objects.count()) == (0, 0)
    monkeypatch.setattr(extensions, "followers", [])
    twilio_calls.post(fields)

    assert (Message.objects.count(), Receipt.objects.count()) == (1, 1)


@pytest.mark.undescribed
def test_without_a_database_twilio_is_asked_to_come_again(
    twilio_calls: Twilio, monkeypatch: pytest.MonkeyPatch
) -> None:  # A19
    from django.db import OperationalError

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("connection refused")

    fields = sms()
    with monkeypatch.context() as patch:
        patch.setattr("channels.services.incoming._update_sender", fail)
        answer = twilio_calls.post(fields)
    assert_problem(answer, 503)
    assert answer["Retry-After"] == "5"

    assert twilio_calls.post(fields).status_code == 200
    assert Message.objects.count() == 1


def test_channels_are_told_apart_by_their_prefix() -> None:
    assert Channel.of("+1415") == Channel.SMS
    assert Channel.of("whatsapp:US.1") == Channel.WHATSAPP
