"""Genuine or not: who signs, for which address, with which key. Cases A02 to A16."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from twilio.request_validator import RequestValidator

from aimessage.tests.asserts import assert_problem
from channels import signatures
from channels.models import Receipt, Sender
from channels.requests import FORM
from channels.tests.credentials import ACCOUNT, SUBACCOUNT, TOKEN
from channels.tests.webhook import OURS, PUBLIC, Twilio, link, sms
from messaging.models import Message

pytestmark = pytest.mark.django_db

URL = f"{PUBLIC}/twilio_webhook"
OTHER_TOKEN = "another-token-0123456789abcdef"
SHARED = "a-shared-key-0123456789abcdef"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@pytest.fixture(autouse=True)
def _linked(twilio_calls: Twilio, ann: Any) -> None:
    link(ann, "+14155550100")


def assert_refused(answer: Any) -> None:
    assert_problem(answer, 403, "Invalid signature")
    assert (Receipt.objects.count(), Sender.objects.count(), Message.objects.count()) == (0, 0, 0)


def assert_taken(answer: Any) -> None:
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/xml")
    assert answer.content.decode() == EMPTY
    assert Message.objects.count() == 1


def test_a_signed_message_is_taken(twilio_calls: Twilio) -> None:  # A01
    assert_taken(twilio_calls.post(sms()))


def test_without_a_signature_nothing_is(client: Any) -> None:  # A02
    assert_refused(client.generic("POST", "/twilio_webhook", urlencode(sms()), FORM))


@pytest.mark.parametrize("signature", ["", "x", "é", "A" * 10_000, "=" * 28, "\udcff"])
def test_no_text_in_its_place_is_a_signature(twilio_calls: Twilio, signature: str) -> None:
    extra = {"HTTP_X_TWILIO_SIGNATURE": signature}
    answer = twilio_calls.client.generic("POST", "/twilio_webhook", urlencode(sms()), FORM, **extra)

    assert_refused(answer)


def test_another_token_does_not_sign(twilio_calls: Twilio) -> None:  # A03
    assert_refused(twilio_calls.post(sms(), token=OTHER_TOKEN))


def test_a_field_that_is_changed_left_out_or_added_is_noticed(twilio_calls: Twilio) -> None:  # A04
    fields = sms()
    signature = twilio_calls.sign(fields, url=URL)

    for changed in (
        {**fields, "Body": "Hello!"},
        {name: value for name, value in fields.items() if name != "ApiVersion"},
        {**fields, "Extra": "1"},
        {**fields, "Extra": ""},
    ):
        assert_refused(twilio_calls.post(changed, signature=signature))


def test_fields_that_nobody_knows_are_signed_along(twilio_calls: Twilio) -> None:  # A04
    assert_taken(twilio_calls.post(sms(WhoKnows="1", Nothing="")))


def test_the_address_is_what_the_settings_say(twilio_calls: Twilio, settings: Settings) -> None:  # A05, A06
    for url in (
        "http://testserver/twilio_webhook",
        "https://testserver/twilio_webhook",
        "http://127.0.0.1:8001/twilio_webhook",
        "https://chat.example.test/twilio_webhook",
        "http://chat.example.test/api/twilio_webhook",
        "https://chat.example.test:8443/api/twilio_webhook",
        "https://chat.example.test/api//twilio_webhook",
        f"{URL}?x=1",
    ):
        assert_refused(twilio_calls.post(sms(), url=url))
    assert_taken(twilio_calls.post(sms(), url=URL))


def test_any_of_several_addresses_will_do(twilio_calls: Twilio, settings: Settings) -> None:
    settings.PUBLIC_URLS = ["https://one.example.test", "https://two.example.test:8443/api"]

    assert twilio_calls.post(sms(), url="https://one.example.test/twilio_webhook").status_code == 200
    second = "https://two.example.test:8443/api/twilio_webhook"
    assert twilio_calls.post(sms(), url=second).status_code == 200
    assert twilio_calls.post(sms(), url="https://one.example.test/api/twilio_webhook").status_code == 403


def test_ports_that_say_nothing_and_slashes_that_were_called_fit(twilio_calls: Twilio) -> None:  # A07
    assert_taken(twilio_calls.post(sms(), url="https://chat.example.test:443/api/twilio_webhook"))
    assert twilio_calls.post(sms(), path="/twilio_webhook/").status_code == 200
    assert twilio_calls.post(sms(), path="/twilio_webhook", url=f"{URL}/").status_code == 403


def test_the_fragment_that_asks_for_retries_may_be_signed(twilio_calls: Twilio) -> None:
    assert_taken(twilio_calls.post(sms(), url=f"{URL}#rc=5&rp=all"))


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Original-Host", "Forwarded", "X-Forwarded-Proto"])
def test_no_forwarding_header_is_read(twilio_calls: Twilio, settings: Settings, name: str) -> None:  # A08
    settings.TRUSTED_PROXIES = 1
    headers = {name: "host=evil.test" if name == "Forwarded" else "evil.test"}

    assert_refused(twilio_calls.post(sms(), url="https://evil.test/api/twilio_webhook", headers=headers))
    assert_taken(twilio_calls.post(sms(), headers=headers))


def test_pools_and_numbers_never_seen_before_are_genuine(twilio_calls: Twilio) -> None:  # A09, A10
    pool = "MG" + "3" * 32

    assert twilio_calls.post(sms(MessagingServiceSid=pool)).status_code == 200
    assert twilio_calls.post(sms(MessagingServiceSid=pool, To="+15005550099")).status_code == 200
    known = Sender.objects.order_by("pk").values_list("address", "messaging_service_sid")
    assert list(known) == [(OURS, pool), ("+15005550099", pool)]
    assert Message.objects.count() == 2


def test_a_subaccount_signs_with_its_own_token_alone(twilio_calls: Twilio, set_twilio: Any) -> None:  # A11
    assert_refused(twilio_calls.post(sms(AccountSid=SUBACCOUNT)))
    set_twilio(tokens={ACCOUNT: (TOKEN,), SUBACCOUNT: (OTHER_TOKEN,)})

    assert_refused(twilio_calls.post(sms(AccountSid=SUBACCOUNT)))
    assert_refused(twilio_calls.post(sms(), token=OTHER_TOKEN))
    assert_refused(twilio_calls.post(sms(AccountSid="AC" + "9" * 32), token=OTHER_TOKEN))
    assert_taken(twilio_calls.post(sms(AccountSid=SUBACCOUNT), token=OTHER_TOKEN))


@pytest.mark.parametrize("accounts", [[], [""], [ACCOUNT, SUBACCOUNT]])
def test_one_account_is_named_and_not_several(
    twilio_calls: Twilio, set_twilio: Any, accounts: list[str]
) -> None:
    set_twilio(tokens={ACCOUNT: (TOKEN,), SUBACCOUNT: (TOKEN,)})
    fields = [(name, value) for name, value in sms().items() if name != "AccountSid"]
    fields += [("AccountSid", account) for account in accounts]
    body = urlencode(fields)
    from django.http import QueryDict

    signature = RequestValidator(TOKEN).compute_signature(URL, QueryDict(body))
    answer = twilio_calls.client.generic(
        "POST", "/twilio_webhook", body, FORM, headers={"X-Twilio-Signature": signature}
    )

    assert_refused(answer)


def test_tokens_are_changed_in_use(twilio_calls: Twilio, set_twilio: Any) -> None:  # A12
    set_twilio(tokens={ACCOUNT: (TOKEN, OTHER_TOKEN)})
    assert twilio_calls.post(sms(), token=OTHER_TOKEN).status_code == 200
    assert twilio_calls.post(sms()).status_code == 200
    set_twilio(tokens={ACCOUNT: (OTHER_TOKEN,)})
    assert twilio_calls.post(sms()).status_code == 403


@pytest.mark.parametrize(
    ("header", "key", "algorithm", "status"),
    [
        ("key=K1,algorithm=HMAC_SHA256", SHARED, "HMAC_SHA256", 200),
        ("key=K1,algorithm=HMAC_SHA1", SHARED, "HMAC_SHA1", 200),
        ("algorithm=HMAC_SHA256, key=K1", SHARED, "HMAC_SHA256", 200),
        ("key=K1", SHARED, "HMAC_SHA1", 200),
        ("key=K1,algorithm=HMAC_SHA256", SHARED, "HMAC_SHA1", 403),
        ("key=K1,algorithm=HMAC_SHA256", TOKEN, "HMAC_SHA256", 403),
        ("key=K1,algorithm=HMAC_MD5", SHARED, "HMAC_SHA1", 403),
        ("key=K2,algorithm=HMAC_SHA1", TOKEN, "HMAC_SHA1", 403),
        ("key=K2,algorithm=HMAC_SHA256", SHARED, "HMAC_SHA256", 403),
        ("algorithm=HMAC_SHA1", TOKEN, "HMAC_SHA1", 403),
        ("", TOKEN, "HMAC_SHA1", 403),
        ("key=K1,key=K1,algorithm=HMAC_SHA256", SHARED, "HMAC_SHA256", 403),
        (",,,=", TOKEN, "HMAC_SHA1", 403),
    ],
)
def test_a_shared_key_is_named_by_the_header_and_then_no_token_signs(
    twilio_calls: Twilio, set_twilio: Any, header: str, key: str, algorithm: str, status: int
) -> None:  # A13
    set_twilio(shared_keys={"K1": SHARED})
    fields = sms()
    signature = twilio_calls.sign(fields, url=URL, token=key, algorithm=algorithm)

    headers = {"X-Twilio-Webhooks-Signature-Settings": header}
    assert twilio_calls.post(fields, signature=signature, headers=headers).status_code == status
    assert Message.objects.count() == (status == 200)


def test_a_hash_of_a_body_is_for_other_bodies(twilio_calls: Twilio) -> None:  # A14
    for query in ("bodySHA256=abc", "x=1&bodySHA256=", "bodySHA256"):
        assert_refused(twilio_calls.post(sms(), path=f"/twilio_webhook?{query}"))


@pytest.mark.parametrize(
    "media_type", ["application/json", "multipart/form-data; boundary=x", "text/xml", ""]
)
def test_bodies_of_other_kinds_are_415(twilio_calls: Twilio, media_type: str) -> None:  # A14
    answer = twilio_calls.client.generic("POST", "/twilio_webhook", "{}", media_type)

    assert_problem(answer, 415)


def test_what_is_no_message_is_400(twilio_calls: Twilio) -> None:  # A14
    for field in ("MessageSid", "From", "To"):
        for value in (None, "", " ", "x\0", "x\n", "x" * 141):
            fields = {name: one for name, one in sms(**{field: value}).items() if one is not None}
            assert twilio_calls.post(fields).status_code == 400, (field, value)
    many = {f"Field{number}": "x" for number in range(300)}
    assert twilio_calls.post({**sms(), **many}).status_code == 400
    assert (Receipt.objects.count(), Message.objects.count()) == (0, 0)


def test_a_host_that_is_none_is_400(twilio_calls: Twilio) -> None:  # A14
    assert twilio_calls.post(sms(), headers={"Host": "x:99999"}).status_code == 400


def test_the_largest_forms_are_read_and_larger_ones_are_413(twilio_calls: Twilio) -> None:  # A14
    base = sms(Body="")
    left = 64 * 1024 - len(urlencode(base))
    assert twilio_calls.post({**base, "Body": "x" * left}).status_code == 200
    assert twilio_calls.post({**base, "Body": "x" * (left + 1)}).status_code == 413
    assert twilio_calls.post(sms("x" * 300_000)).status_code == 413
    assert Message.objects.get().content == "x" * 20_000


@pytest.mark.parametrize("path", ["/twilio_webhook", "/twilio_webhook/status"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
def test_other_methods_are_405(twilio_calls: Twilio, path: str, method: str) -> None:  # A14
    answer = twilio_calls.client.generic(method, path)

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")


def test_the_query_is_signed_as_it_was_sent(twilio_calls: Twilio) -> None:  # A16
    assert_taken(twilio_calls.post(sms(), path="/twilio_webhook?t=a%2Fb~c"))
    assert twilio_calls.post(sms(), path="/twilio_webhook?t=a%2Fb~c", url=f"{URL}?t=a/b~c").status_code == 403


def test_reports_are_signed_alike(twilio_calls: Twilio) -> None:  # A39
    fields = {
        "MessageSid": "SM9",
        "MessageStatus": "delivered",
        "AccountSid": ACCOUNT,
        "To": "+1",
        "From": OURS,
    }

    path = "/twilio_webhook/status"
    assert twilio_calls.post(fields, path=path).status_code == 204
    assert twilio_calls.post(fields, path=f"{path}?d=1.abc").status_code == 204
    assert twilio_calls.post({"MessageSid": "SM9"}, path=path).status_code == 403
    assert_refused(twilio_calls.post(fields, path=path, token=OTHER_TOKEN))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/twilio_webhook"),
        ("GET", "/twilio_webhook"),
        ("POST", "/twilio_webhook/"),
        ("POST", "/twilio_webhook/status"),
        ("GET", "/auth/me/phone"),
        ("PUT", "/auth/me/phone"),
        ("DELETE", "/auth/me/phone"),
        ("POST", "/auth/me/phone/link"),
        ("PUT", "/auth/me/phone/link"),
        ("DELETE", "/auth/me/phone/addresses/1"),
    ],
)
def test_where_twilio_is_off_there_is_no_such_path(
    settings: Settings, as_user: Any, ann: Any, method: str, path: str
) -> None:  # A49
    settings.TWILIO = None
    for one in (Client(), as_user(ann)):
        answer = one.generic(method, path)
        assert answer.status_code == 404
        assert answer.json()["detail"] == Client().get("/nothing").json()["detail"]


# Without surrogates, which the library raises for.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.dictionaries(texts, st.lists(texts, min_size=1, max_size=3), max_size=5),
    st.sampled_from(["https://a.example", "https://a.example:8443", "http://a.example:80", "http://[::1]"]),
    st.sampled_from(["", "?x=1", "?t=a%2Fb~c"]),
    st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"]),
)
def test_it_signs_as_twilios_library(
    fields: dict[str, list[str]], base: str, query: str, algorithm: str
) -> None:
    class Fields(dict[str, list[str]]):
        def getlist(self, name: str) -> list[str]:
            return self[name]

    url = f"{base}/twilio_webhook{query}"
    expected = RequestValidator(TOKEN).compute_signature(url, Fields(fields), algorithm)
    hashed = signatures.HASHES[algorithm]

    assert signatures._sign(TOKEN, url, signatures._write(fields), hashed).decode() == expected
