"""What becomes of messages that come in."""

import logging
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from aimessage.events.models import Event
from channels.models import Address, Channel, Delivery, Receipt, Sender, Thread
from channels.tests.carrying import carry
from channels.tests.twilio_stub import twilio_stub
from channels.tests.webhook import ANN_SMS, ANN_WHATSAPP, OURS, OURS_WHATSAPP, Twilio, link, sms, whatsapp
from messaging.aliases import ACCOUNTS
from messaging.models import Block, Conversation, Message, default_conversation_id
from messaging.services import extensions
from messaging.services.messages import send_message
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

Outcome = Receipt.Outcome


@pytest.fixture(autouse=True)
def _linked(twilio_calls: Twilio, ann: User) -> None:
    link(ann, ANN_SMS, ANN_WHATSAPP)


def outcomes() -> list[str]:
    return list(Receipt.objects.order_by("pk").values_list("outcome", flat=True))


def notices() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("notice", flat=True))


def contents() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("content", flat=True))


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
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"] == "application/problem+json"

    assert twilio_calls.post(fields).status_code == 200
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        "ü + & = % é 日本語 👩‍👩‍👧 \u0301",
        "  leading blanks and trailing  ",
        "line\r\nline\n\ttab",
        "\x01\x02\x1b[31m\x7f\x85\u2028\u202e",
        "+%2B&Body=x;y",
        "x" * 1600,
    ],
)
def test_a_text_is_stored_to_the_character(twilio_calls: Twilio, body: str) -> None:  # A15
    twilio_calls.post(sms(body))

    assert contents() == [body]


@pytest.mark.parametrize("raw", ["a%00b", "%00ab%00", "a%ED%A0%80b", "a%FFb", "a%C3b"])
def test_what_no_column_holds_is_left_out(twilio_calls: Twilio, raw: str) -> None:
    from urllib.parse import urlencode

    from channels import signatures
    from channels.requests import FORM
    from channels.tests.conftest import TOKEN
    from channels.tests.webhook import PUBLIC

    fields = {name: value for name, value in sms().items() if name != "Body"}
    body = f"{urlencode(fields)}&Body={raw}"
    from urllib.parse import parse_qs

    read = parse_qs(body, keep_blank_values=True, errors="surrogateescape")
    signature = signatures._sign(TOKEN, f"{PUBLIC}/twilio_webhook", signatures._write(read), "sha1").decode()
    answer = twilio_calls.client.generic(
        "POST", "/twilio_webhook", body, FORM, headers={"X-Twilio-Signature": signature}
    )

    assert answer.status_code == 200
    assert contents() == ["ab"]


@pytest.mark.parametrize("body", ["", "   ", "\u200b\u2060", "\x00"])
def test_of_nothing_there_is_no_message(twilio_calls: Twilio, body: str) -> None:
    assert twilio_calls.post(sms(body)).status_code == 200

    assert (outcomes(), Message.objects.count()) == ([Outcome.EMPTY], 0)


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        (
            {"NumMedia": "2", "MediaContentType0": "image/jpeg", "MediaContentType1": "audio/ogg"},
            "[2 attachments: image/jpeg, audio/ogg]",
        ),
        ({"NumMedia": "1", "MediaContentType0": "image/jpeg"}, "[1 attachment: image/jpeg]"),
        ({"NumMedia": "1"}, "[1 attachment: unknown]"),
        (
            {"Body": "Look", "NumMedia": "1", "MediaContentType0": "a/b\0"},
            "Look\n[1 attachment: a/b]",
        ),
        ({"Body": "Hi", "NumMedia": "-1"}, "Hi"),
        ({"Body": "Hi", "NumMedia": "9" * 50}, "Hi"),
        ({"Body": "Hi", "NumMedia": "²"}, "Hi"),
        ({"Body": "Hi", "NumMedia": "0"}, "Hi"),
    ],
)
def test_media_are_told_of_and_not_fetched(
    twilio_calls: Twilio, fields: dict[str, str], content: str
) -> None:  # A27
    twilio_calls.post(sms(**{"Body": "", "MediaUrl0": "https://evil.test/x.jpg", **fields}))

    assert contents() == [content]
    assert "evil" not in str(list(Message.objects.values()) + list(Receipt.objects.values()))


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        (
            {"Latitude": "37.7765", "Longitude": "-122.4193", "Label": "Twilio", "Address": "375 Beale St"},
            "[Location: Twilio, 375 Beale St, 37.7765, -122.4193]",
        ),
        ({"Latitude": "1.5", "Longitude": "2"}, "[Location: 1.5, 2]"),
        ({"Body": "Here", "Latitude": "1.5", "Longitude": "2"}, "Here\n[Location: 1.5, 2]"),
        ({"ButtonText": "Yes, please", "ButtonPayload": "yes-1"}, "Yes, please"),
        ({"Body": "Yes, please", "ButtonText": "Yes, please", "ButtonPayload": "1"}, "Yes, please"),
    ],
)
def test_places_and_buttons_are_text(
    twilio_calls: Twilio, fields: dict[str, str], content: str
) -> None:  # A28
    twilio_calls.post(whatsapp(**{"Body": "", **fields}))

    assert contents() == [content]


def test_no_attachment_is_asked_for(twilio_calls: Twilio, set_twilio: Any) -> None:  # A27
    with twilio_stub() as stub:
        set_twilio(url=stub.url)
        types = {"MediaContentType0": "image/jpeg", "MediaContentType1": "audio/ogg"}
        urls = {f"MediaUrl{number}": f"{stub.url}/Media/ME{number}" for number in range(2)}
        twilio_calls.post(sms("", NumMedia="2", **types, **urls))
        carry()

        assert (stub.asked, stub.lists) == ([], [])
    assert contents() == ["[2 attachments: image/jpeg, audio/ogg]"]


def test_ten_attachments_are_listed_at_most(twilio_calls: Twilio) -> None:
    twilio_calls.post(sms("", NumMedia="999", **{f"MediaContentType{n}": "x" * 1000 for n in range(20)}))

    [content] = contents()
    assert content.startswith("[10 attachments: xxx")
    assert len(content) < 1100


def test_a_reply_in_whatsapp_is_a_reply(twilio_calls: Twilio, ann: User, bot: User, bob: User) -> None:
    first = whatsapp("First")
    twilio_calls.post(first)
    answer, _ = send_message(bot, content="Answer", recipient_id=ann.pk)
    Delivery.objects.filter(message=answer).update(sid="SManswer")
    elsewhere, _ = send_message(bob, content="Elsewhere", recipient_id=ann.pk)
    Delivery.objects.create(message=elsewhere, thread=Thread.objects.get(), sid="SMelsewhere")

    replied = [first["MessageSid"], "SManswer", "SMelsewhere", "SMunknown", "no sid at all"]
    parents = []
    for sid in replied:
        twilio_calls.post(whatsapp("Reply", OriginalRepliedMessageSid=sid))
        parents.append(Message.objects.order_by("-pk")[0].parent_id)
    assert parents == [Message.objects.get(content="First").pk, answer.pk, None, None, None]


# --- Who it is from ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "+4155550100",  # ann's number ends so
        "+141555501000",
        "+1415555010",
        "14155550100",
        "whatsapp:4155550100",
        "WhatsApp:+14155550100",
        "whatsapp:US.14155550100",
        "0100",
        "My Bank",
        "Bänk",
    ],
)
def test_an_address_is_matched_as_it_stands(twilio_calls: Twilio, address: str) -> None:  # A23
    assert twilio_calls.post(sms(From=address)).status_code == 200

    assert (outcomes(), Message.objects.count()) == ([Outcome.UNKNOWN], 0)


def test_a_number_that_is_only_claimed_is_nobodys(twilio_calls: Twilio, bob: User) -> None:  # A23
    User.objects.filter(pk=bob.pk).update(phone_number="+14155550177")
    twilio_calls.post(sms(From="+14155550177"))

    assert (outcomes(), Message.objects.count()) == ([Outcome.UNKNOWN], 0)


def test_an_sms_address_is_none_of_whatsapp(twilio_calls: Twilio, bob: User) -> None:
    link(bob, "+14155550177")
    twilio_calls.post(whatsapp(From="whatsapp:+14155550177"))

    assert outcomes() == [Outcome.UNKNOWN]


def test_an_id_of_whatsapp_is_known_once_it_came_with_the_number(
    twilio_calls: Twilio, ann: User
) -> None:  # A22
    ident = "US.13491208655302741918"
    hidden = {"From": f"whatsapp:{ident}", "ExternalUserId": ident}
    twilio_calls.post(whatsapp("Too early", **hidden))
    twilio_calls.post(whatsapp("With both", ExternalUserId=ident, WaId="14155550100"))
    twilio_calls.post(whatsapp("Hidden", **hidden))

    assert contents() == ["With both", "Hidden"]
    assert set(Message.objects.values_list("sender", flat=True)) == {ann.pk}
    thread = Thread.objects.get()
    # One person, and one thread; answers go where the last message came from.
    assert (thread.address.value, thread.reply_to) == (ANN_WHATSAPP, f"whatsapp:{ident}")


def test_an_id_that_somebody_linked_stays_theirs(twilio_calls: Twilio, ann: User, bob: User) -> None:
    ident = "US.1349"
    link(bob, f"whatsapp:{ident}")
    twilio_calls.post(whatsapp("From ann", ExternalUserId=ident))
    twilio_calls.post(whatsapp("From bob", From=f"whatsapp:{ident}"))

    assert list(Message.objects.order_by("pk").values_list("sender", flat=True)) == [ann.pk, bob.pk]


def test_a_number_does_not_make_an_id_known(twilio_calls: Twilio) -> None:
    twilio_calls.post(whatsapp("Hello", From="whatsapp:US.77", WaId="14155550100"))

    assert outcomes() == [Outcome.UNKNOWN]


@pytest.mark.parametrize("why", ["ann disabled", "ann blocks", "ann is blocked", "ann is the inbox"])
def test_what_the_api_would_refuse_is_not_stored(
    twilio_calls: Twilio, set_twilio: Any, ann: User, bot: User, why: str
) -> None:
    match why:
        case "ann disabled":
            User.objects.filter(pk=ann.pk).update(is_active=False)
        case "ann blocks":
            Block.objects.create(blocker=ann, blocked=bot)
        case "ann is blocked":
            Block.objects.create(blocker=bot, blocked=ann)
        case "ann is the inbox":
            set_twilio(inbox="alice")
    answer = twilio_calls.post(sms())

    assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml")
    assert (outcomes(), Message.objects.count()) == ([Outcome.REFUSED], 0)


# --- Unknown numbers ---------------------------------------------------------------------------------


def test_of_who_is_unknown_only_the_sid_is_kept(twilio_calls: Twilio) -> None:  # A24
    fields = sms("Secret plans", From="+14155550199")
    twilio_calls.post(fields)
    twilio_calls.post(sms("STOP", From="+14155550199"))
    twilio_calls.post(whatsapp("HELP", From="whatsapp:+14155550199"))

    assert Receipt.objects.earliest("pk").message_sid == fields["MessageSid"]
    assert (Message.objects.count(), Delivery.objects.count(), User.objects.count()) == (0, 0, 2)
    assert not Address.objects.filter(value__endswith="0199").exists()
    assert not Thread.objects.exists()
    assert twilio_calls.post(fields).status_code == 200
    assert Receipt.objects.count() == 3


def test_an_unknown_number_is_invited_once_in_thirty_days(
    twilio_calls: Twilio, set_twilio: Any, time_machine: Any
) -> None:  # A25
    set_twilio(unknown="invite")
    time_machine.move_to("2026-01-01T00:00:00Z")
    for _ in range(3):
        twilio_calls.post(sms("Who are you?", From="+14155550199"))
    assert notices() == ["invite"]
    assert Delivery.objects.get().thread.reply_to == "+14155550199"
    time_machine.move_to("2026-01-30T23:00:00Z")
    twilio_calls.post(sms("Hello?", From="+14155550199"))
    assert notices() == ["invite"]
    time_machine.move_to("2026-02-01T00:00:00Z")
    twilio_calls.post(sms("Hello?", From="+14155550199"))

    assert notices() == ["invite", "invite"]
    assert (Message.objects.count(), User.objects.count()) == (0, 2)
    assert outcomes() == ["invited", "unknown", "unknown", "unknown", "invited"]


def test_who_wants_no_messages_is_not_invited(twilio_calls: Twilio, set_twilio: Any) -> None:
    set_twilio(unknown="invite")
    twilio_calls.post(sms("STOP", From="+14155550199"))
    twilio_calls.post(sms("Hello?", From="+14155550199"))
    assert notices() == []
    twilio_calls.post(sms("START", From="+14155550199"))
    twilio_calls.post(sms("Hello?", From="+14155550199"))

    assert notices() == ["invite"]


# --- STOP, START, HELP -------------------------------------------------------------------------------


def opted_out() -> dict[str, bool]:
    return {one.channel.value: one.opted_out for one in Address.objects.all()}


@pytest.mark.parametrize(
    "fields",
    [
        {"OptOutType": "STOP", "Body": "Arrêt"},  # A29
        {"Body": "sToP "},  # A30
        *({"Body": word} for word in ("STOP", "stopall", "Unsubscribe", "END", "quit", "Cancel", "revoke")),
        {"Body": "\n optout\n"},
    ],
)
def test_stop_is_no_message(
    twilio_calls: Twilio, ann: User, as_user: Any, fields: dict[str, str]
) -> None:  # A29, A30
    twilio_calls.post(sms(**fields))

    assert (outcomes(), contents(), notices()) == ([Outcome.KEYWORD], [], [])
    assert opted_out() == {"sms": True, "whatsapp": False}
    shown = as_user(ann).get("/auth/me/phone").json()["addresses"]
    assert [one["opted_out"] for one in shown] == [True, False]


@pytest.mark.parametrize("body", ["Stop please", "stop.", "No", "yes", "S T O P", "STOP STOP", "help me", ""])
def test_other_words_are_messages(twilio_calls: Twilio, body: str) -> None:  # A30
    twilio_calls.post(sms(body))

    assert contents() == ([body] if body else [])
    assert opted_out() == {"sms": False, "whatsapp": False}


@pytest.mark.parametrize(
    "fields", [{"OptOutType": "START", "Body": "x"}, {"Body": "Start"}, {"Body": "unstop"}, {"Body": "YES"}]
)
def test_start_takes_stop_back(twilio_calls: Twilio, fields: dict[str, str]) -> None:  # A32
    twilio_calls.post(sms("STOP"))
    twilio_calls.post(sms("While out"))
    twilio_calls.post(sms(**fields))
    twilio_calls.post(sms("Back"))

    assert opted_out() == {"sms": False, "whatsapp": False}
    assert contents() == ["While out", "Back"]
    assert outcomes() == ["keyword", "unanswered", "keyword", "stored"]


def test_an_opt_out_type_that_nobody_knows_is_none(twilio_calls: Twilio) -> None:
    twilio_calls.post(sms("Hello", OptOutType="WHATEVER"))

    assert contents() == ["Hello"]


def test_help_is_answered_where_twilio_does_not(twilio_calls: Twilio) -> None:  # A33
    twilio_calls.post(sms("HELP"))
    twilio_calls.post(sms("x", OptOutType="HELP"))
    twilio_calls.post(whatsapp("x", OptOutType="HELP"))
    assert notices() == []
    twilio_calls.post(whatsapp("Help"))
    assert notices() == ["help"]
    twilio_calls.post(whatsapp("STOP"))
    twilio_calls.post(whatsapp("HELP"))

    assert notices() == ["help"]
    assert contents() == []


# --- Too many ----------------------------------------------------------------------------------------


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What followers see, and whether it is to be answered."""
    found: list[tuple[str, bool]] = []

    def follow(message: Message, receiver: extensions.Receiver) -> None:
        found.append((message.content, not extensions.unanswered.get()))

    monkeypatch.setattr(extensions, "followers", [follow])
    return found


def test_more_than_the_rate_is_stored_and_not_answered(
    twilio_calls: Twilio, settings: Settings, heard: list[tuple[str, bool]]
) -> None:  # A47
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "channel": (30, 60)}
    for number in range(31):
        assert twilio_calls.post(sms(f"{number}")).status_code == 200
    twilio_calls.post(whatsapp("By another way"))

    assert len(contents()) == 32
    assert [answered for _, answered in heard] == [True] * 30 + [False, True]
    assert outcomes()[29:] == ["stored", "unanswered", "stored"]
    assert not extensions.unanswered.get()


def test_what_is_written_after_stop_is_stored_and_not_answered(
    twilio_calls: Twilio, heard: list[tuple[str, bool]]
) -> None:
    twilio_calls.post(sms("STOP"))
    twilio_calls.post(sms("Still here"))

    assert heard == [("Still here", False)]


def test_it_is_stored_also_where_too_many_wait_for_answers(
    twilio_calls: Twilio, heard: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from aimessage.api.problems import TooManyRequests

    def check(sender: User, receiver: extensions.Receiver) -> None:
        if not extensions.unanswered.get():
            raise TooManyRequests("Too many wait", retry_after=60)

    monkeypatch.setattr(extensions, "checks", [check])
    assert twilio_calls.post(sms()).status_code == 200

    assert (outcomes(), heard) == ([Outcome.UNANSWERED], [("Hello", False)])


def test_channels_are_told_apart_by_their_prefix() -> None:
    assert Channel.of("+1415") == Channel.SMS
    assert Channel.of("whatsapp:US.1") == Channel.WHATSAPP
