"""Whatever a genuine form holds, it is taken or refused by a 400, and what is stored can be read again."""

from typing import Any
from urllib.parse import parse_qs, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from channels import signatures
from channels.models import Receipt, Sender
from channels.requests import FORM
from channels.tests.credentials import ACCOUNT, TOKEN
from channels.tests.webhook import ANN_SMS, OURS, PUBLIC, Twilio, link
from messaging.models import Message
from tests.routes import undone

pytestmark = pytest.mark.django_db

#: Every field that is read.
NAMES = ["MessageSid", "From", "To", "Body", "NumMedia", "MediaContentType0", "MessagingServiceSid"]
NAMES += ["OptOutType", "ProfileName", "ExternalUserId", "ParentExternalUserId", "Latitude", "Longitude"]
NAMES += ["Label", "Address", "ButtonText", "OriginalRepliedMessageSid", "MessageStatus", "ErrorCode"]
NASTY = ["", " ", "\0", "a\0b", "STOP", "LINK 4QF7-29", "9" * 5000, "-1", "1e999", "\u202e", "x" * 3000]
NASTY += [
    "whatsapp:",
    "whatsapp:+1",
    "\r\nSet-Cookie: x=1",
    "'; DROP TABLE accounts_user; --",
    "\U0001d518",
    "\u0301" * 500,
]
VALUES = st.one_of(
    st.sampled_from(NASTY).map(str.encode),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode),
    st.binary(max_size=30),
    st.sampled_from([b"\xed\xa0\x80", b"\xff\xfe", b"\xc0\x80"]),
)
FORMS = st.dictionaries(st.sampled_from(NAMES), st.lists(VALUES, min_size=1, max_size=2), max_size=8)


@pytest.fixture
def hears_contacts(twilio_calls: Twilio, set_twilio: Any, ann: User) -> Twilio:
    set_twilio(unknown="contact")
    link(ann, ANN_SMS)
    return twilio_calls


def send(twilio: Twilio, path: str, form: dict[str, list[bytes]]) -> Any:
    given = {"AccountSid": [ACCOUNT.encode()], **form}
    body = "&".join(f"{name}={quote_from_bytes(one)}" for name in given for one in given[name])
    fields = parse_qs(body, keep_blank_values=True, errors="surrogateescape")
    signature = signatures._sign(TOKEN, PUBLIC + path, signatures._write(fields), "sha1").decode()
    return twilio.client.generic("POST", path, body, FORM, headers={"X-Twilio-Signature": signature})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FORMS, st.booleans())
def test_no_genuine_form_ends_in_anything_but_a_clear_answer(
    hears_contacts: Twilio, form: dict[str, list[bytes]], is_whole: bool
) -> None:
    usual = {"MessageSid": [b"SM1"], "From": [ANN_SMS.encode()], "To": [OURS.encode()], "Body": [b"Hello"]}
    with undone():
        answer = send(hears_contacts, "/twilio_webhook", {**usual, **form} if is_whole else form)
        assert answer.status_code in {200, 400}, answer.content
        if answer.status_code == 200:
            assert Receipt.objects.count() == Sender.objects.count() == 1
            for content in Message.objects.values_list("content", flat=True):
                assert 1 <= len(content) <= 20_000
                assert "\0" not in content
                content.encode()
        else:
            assert not Receipt.objects.exists()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FORMS, st.sampled_from(["", "?d=", "?d=1.x", "?d=%00", "?d=9999999999999999999.a", "?d=-1.%FF"]))
def test_no_genuine_report_does(hears_contacts: Twilio, form: dict[str, list[bytes]], query: str) -> None:
    path = f"/twilio_webhook/status{query}"
    with undone():
        answer = send(hears_contacts, path, form)
    assert answer.status_code in ({400} if "%00" in query else {204, 403}), answer.content
