"""What a message that comes in says: its text, attachments, places, buttons and replies."""

from typing import Any

import pytest

from accounts.models import User
from channels.models import Delivery, Receipt, Thread
from channels.tests.carrying import carry
from channels.tests.incoming import Outcome, contents, outcomes
from channels.tests.twilio_stub import twilio_stub
from channels.tests.webhook import Twilio, sms, whatsapp
from messaging.models import Message
from messaging.services.messages import send_message

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ann_linked")]


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
    from channels.tests.credentials import TOKEN
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
