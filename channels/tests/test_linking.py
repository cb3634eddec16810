"""POST and PUT /auth/me/phone/link: an address is linked by proof. Cases A21, A44 to A46."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from time_machine import TimeMachineFixture

from accounts.models import User
from channels.codes import code_of
from channels.models import Address, Delivery, LinkCode, Receipt
from channels.services import linking
from channels.services.linking import sweep
from channels.tests.webhook import ANN_SMS, ANN_WHATSAPP, Twilio, link, sms, whatsapp
from messaging.models import Message
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

URL = "/auth/me/phone/link"
NUMBER = "+14155550100"


@pytest.fixture(autouse=True)
def _on(twilio_calls: Twilio) -> None:
    pass


def text_code(client: Any) -> str:
    answer = client.post(URL, {"method": "text"})
    assert answer.status_code == 201
    code: str = answer.json()["code"]
    return code


def sms_code() -> str:
    return code_of(LinkCode.objects.get(method="sms"))


def notices() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("notice", flat=True))


def linked() -> list[tuple[str, str]]:
    return list(Address.objects.order_by("pk").values_list("value", "user__username"))


# --- A code that is texted to us ---------------------------------------------------------------------


def test_a_code_to_text_says_where_to(as_user: Any, ann: User, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to("2026-01-02T03:04:05.678901Z", tick=False)
    answer = as_user(ann).post(URL, {"method": "text"})

    assert answer.status_code == 201
    body = answer.json()
    assert re.fullmatch("LINK [A-Z0-9]{4}-[A-Z0-9]{2}", body.pop("code"))
    ours = "+15005550006"
    assert body == {"send_to": {"sms": ours, "whatsapp": ours}, "expires_at": "2026-01-02T03:19:05.678901Z"}


def test_where_we_have_no_such_number_there_is_none_to_text_to(
    as_user: Any, ann: User, set_twilio: Any
) -> None:
    set_twilio(numbers=("whatsapp:+15005550006",))
    answer = as_user(ann).post(URL, {"method": "text"})

    assert answer.json()["send_to"] == {"sms": None, "whatsapp": "+15005550006"}
    refused = as_user(ann).post(URL, {"method": "sms", "phone_number": NUMBER})
    assert (refused.status_code, refused.json()["codes"]) == (400, {"method": ["no_sms"]})


def test_whoever_texts_the_code_links_their_address(
    as_user: Any, ann: User, twilio_calls: Twilio
) -> None:  # A44
    code = text_code(as_user(ann))
    twilio_calls.post(sms(code))

    assert linked() == [(ANN_SMS, "alice")]
    assert notices() == ["linked"]
    assert Delivery.objects.get().thread.reply_to == ANN_SMS
    assert not Message.objects.exists()
    assert as_user(ann).get("/auth/me/phone").json()["phone_number"] == ANN_SMS
    twilio_calls.post(sms("Hello"))
    assert Message.objects.get().sender == ann


def test_a_code_works_once(as_user: Any, ann: User, twilio_calls: Twilio) -> None:  # A44
    code = text_code(as_user(ann))
    twilio_calls.post(sms(code))
    twilio_calls.post(sms(code, From="+14155550177"))

    assert linked() == [(ANN_SMS, "alice")]
    assert list(Receipt.objects.order_by("pk").values_list("outcome", flat=True)) == ["linked", "unknown"]
    twilio_calls.post(sms(code))
    assert Message.objects.get().content == code


def test_a_code_that_ran_out_links_nothing(
    as_user: Any, ann: User, twilio_calls: Twilio, time_machine: TimeMachineFixture
) -> None:  # A44
    time_machine.move_to("2026-01-02T03:00:00Z", tick=False)
    code = text_code(as_user(ann))
    time_machine.move_to("2026-01-02T03:15:01Z", tick=False)
    twilio_calls.post(sms(code))

    assert linked() == []


def test_a_new_code_takes_the_place_of_the_one_before(as_user: Any, ann: User, twilio_calls: Twilio) -> None:
    first = text_code(as_user(ann))
    second = text_code(as_user(ann))
    twilio_calls.post(sms(first))
    assert linked() == []
    twilio_calls.post(sms(second))

    assert linked() == [(ANN_SMS, "alice")]


def test_from_anothers_linked_address_it_is_an_ordinary_message(
    as_user: Any, ann: User, bob: User, twilio_calls: Twilio
) -> None:  # A44
    link(bob, ANN_SMS)
    code = text_code(as_user(ann))
    twilio_calls.post(sms(code))

    assert linked() == [(ANN_SMS, "bob")]
    message = Message.objects.get()
    assert (message.sender, message.content) == (bob, code)
    twilio_calls.post(sms(code, From="+14155550177"))
    assert linked()[1:] == [("+14155550177", "alice")]


def test_from_ones_own_linked_address_it_is_used_up(as_user: Any, ann: User, twilio_calls: Twilio) -> None:
    link(ann, ANN_WHATSAPP)
    twilio_calls.post(whatsapp("Hello", ExternalUserId="US.1"))
    twilio_calls.post(whatsapp(text_code(as_user(ann)), From="whatsapp:US.1"))

    assert linked() == [(ANN_WHATSAPP, "alice")]
    assert (notices(), LinkCode.objects.count()) == (["linked"], 0)


@pytest.mark.parametrize("form", ["{0}", " {0}\n", "{1}", "Link  {2} {3}", "link{2}{3}", "LINK: {2}-{3}"])
def test_a_code_is_read_as_people_write_it(as_user: Any, ann: User, twilio_calls: Twilio, form: str) -> None:
    code = text_code(as_user(ann))
    twilio_calls.post(sms(form.format(code, code.lower(), code[5:9], code[10:])))

    assert linked() == [(ANN_SMS, "alice")]


@pytest.mark.parametrize("form", ["My code is {0}", "{0} thanks", "{1}", "LINK", "LINK 0000-00", "{0}{0}"])
def test_other_texts_link_nothing(as_user: Any, ann: User, twilio_calls: Twilio, form: str) -> None:
    code = text_code(as_user(ann))
    twilio_calls.post(sms(form.format(code, code[5:])))

    assert linked() == []


def test_the_channel_that_it_came_by_is_linked(as_user: Any, ann: User, twilio_calls: Twilio) -> None:  # A21
    twilio_calls.post(whatsapp(text_code(as_user(ann)), From="whatsapp:+5215512345678"))
    twilio_calls.post(whatsapp("Hola", From="whatsapp:+5215512345678"))
    twilio_calls.post(sms("By SMS", From="+5215512345678"))

    assert linked() == [("whatsapp:+5215512345678", "alice")]
    assert list(Message.objects.values_list("sender__username", "content")) == [("alice", "Hola")]
    assert as_user(ann).get("/auth/me/phone").json()["phone_number"] is None


def test_nobody_is_linked_to_an_account_that_is_disabled(
    as_user: Any, ann: User, twilio_calls: Twilio
) -> None:
    code = text_code(as_user(ann))
    User.objects.filter(pk=ann.pk).update(is_active=False)
    twilio_calls.post(sms(code))

    assert linked() == []


def test_somebody_invited_can_link(as_user: Any, ann: User, twilio_calls: Twilio, set_twilio: Any) -> None:
    set_twilio(unknown="invite")
    twilio_calls.post(sms("Hello"))
    twilio_calls.post(sms(text_code(as_user(ann))))

    assert linked() == [(ANN_SMS, "alice")]
    # There is nobody left to be invited.
    assert notices() == ["linked"]


def test_a_contact_who_links_becomes_the_person(
    as_user: Any, ann: User, bot: User, twilio_calls: Twilio, set_twilio: Any
) -> None:
    set_twilio(unknown="contact")
    twilio_calls.post(whatsapp("As a contact"))
    contact = User.objects.get(kind="contact")
    twilio_calls.post(whatsapp(text_code(as_user(ann))))
    twilio_calls.post(whatsapp("As ann"))

    senders = Message.objects.order_by("pk").values_list("sender", "content")
    assert list(senders) == [(contact.pk, "As a contact"), (ann.pk, "As ann")]
    # Nothing that is written to the contact goes to her.
    answer = as_user(ann).post("/messages", {"recipient_id": contact.pk, "content": "?"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Recipient not found")


def test_codes_that_are_alike_are_drawn_anew(
    as_user: Any, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    salts = iter(["a" * 32, "a" * 32, "b" * 32])
    monkeypatch.setattr(linking, "new_salt", lambda: next(salts))

    assert text_code(as_user(ann)) != text_code(as_user(bob))
    assert LinkCode.objects.count() == 2


def test_no_table_has_a_code(as_user: Any, ann: User) -> None:
    code = text_code(as_user(ann)).removeprefix("LINK ").replace("-", "")
    as_user(ann).post(URL, {"method": "sms", "phone_number": NUMBER})

    for found in (code, sms_code()):
        assert found not in str(list(LinkCode.objects.values("digest", "salt")))
        assert found not in str(list(Delivery.objects.values("notice", "error", "sid")))


# --- A code that we send -----------------------------------------------------------------------------


def test_a_code_is_sent_and_links_the_number(
    as_user: Any, ann: User, twilio_calls: Twilio, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to("2026-01-02T03:04:05.678901Z", tick=False)
    client = as_user(ann)
    answer = client.post(URL, {"method": "sms", "phone_number": "+1 415 555 0100"})

    assert answer.status_code == 202
    assert answer.json() == {"expires_at": "2026-01-02T03:14:05.678901Z", "resend_after": 60}
    delivery = Delivery.objects.get()
    assert (delivery.notice, delivery.code.phone_number, delivery.thread) == ("code", NUMBER, None)
    code = sms_code()
    assert re.fullmatch("[0-9]{6}", code)

    answer = client.put(URL, {"code": f" {code[:3]} {code[3:]}"})
    assert (answer.status_code, answer.json()) == (200, client.get("/auth/me/phone").json())
    assert answer.json()["phone_number"] == NUMBER
    assert answer.json()["verified_at"] == "2026-01-02T03:04:05.678901Z"
    assert linked() == [(NUMBER, "alice")]
    assert client.put(URL, {"code": code}).status_code == 400
    twilio_calls.post(sms("Hello"))
    assert Message.objects.get().sender == ann


def test_five_wrong_codes_end_one(as_user: Any, ann: User) -> None:  # A45
    client = as_user(ann)
    client.post(URL, {"method": "sms", "phone_number": NUMBER})
    code = sms_code()
    wrong = "000000" if code != "000000" else "000001"

    for _ in range(5):
        answer = client.put(URL, {"code": wrong})
        assert (answer.status_code, answer.json()["codes"]) == (400, {"code": ["wrong_code"]})
    assert client.put(URL, {"code": code}).status_code == 400
    assert linked() == []


def test_after_four_wrong_ones_the_code_still_works(as_user: Any, ann: User) -> None:
    client = as_user(ann)
    client.post(URL, {"method": "sms", "phone_number": NUMBER})
    for wrong in ("", "x", "12345", "1" * 20):
        assert client.put(URL, {"code": wrong}).status_code == 400
    assert client.put(URL, {"code": sms_code()}).status_code == 200


def test_a_code_is_good_for_ten_minutes(as_user: Any, ann: User, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to("2026-01-02T03:00:00Z", tick=False)
    client = as_user(ann)
    client.post(URL, {"method": "sms", "phone_number": NUMBER})
    time_machine.move_to("2026-01-02T03:10:01Z", tick=False)

    assert client.put(URL, {"code": sms_code()}).status_code == 400


@pytest.mark.parametrize("code", [None, 123456, True, [], {}, "9" * 10_000, "½", "\0"])
def test_what_is_no_code_is_400(as_user: Any, ann: User, code: Any) -> None:
    client = as_user(ann)
    client.post(URL, {"method": "sms", "phone_number": NUMBER})

    assert client.put(URL, {"code": code}).status_code == 400


def test_anothers_code_is_wrong(as_user: Any, ann: User, bob: User) -> None:
    as_user(ann).post(URL, {"method": "sms", "phone_number": NUMBER})

    assert as_user(bob).put(URL, {"code": sms_code()}).status_code == 400
    assert linked() == []


def test_a_code_that_is_sent_cannot_be_texted(as_user: Any, ann: User, twilio_calls: Twilio) -> None:
    as_user(ann).post(URL, {"method": "sms", "phone_number": NUMBER})
    for body in (sms_code(), f"LINK {sms_code()}"):
        twilio_calls.post(sms(body))

    assert linked() == []


def test_a_code_to_text_cannot_be_typed(as_user: Any, ann: User) -> None:
    code = text_code(as_user(ann))

    assert as_user(ann).put(URL, {"code": code}).status_code == 400


def test_the_answer_is_the_same_whoever_has_the_number(as_user: Any, ann: User, bob: User) -> None:
    link(ann, NUMBER)
    answers, queries = [], []
    for number in (NUMBER, "+14155550177"):
        client = as_user(UserFactory())
        with CaptureQueriesContext(connection) as captured:
            answers.append(client.post(URL, {"method": "sms", "phone_number": number}))
        queries.append(
            [re.sub(r"'[^']*'|[0-9][0-9.e+-]*", "?", query["sql"]) for query in captured.captured_queries]
        )

    [known, unknown] = answers
    assert known.status_code == unknown.status_code == 202
    assert known.json().keys() == unknown.json().keys()
    # Nothing is looked up that could take longer for one than for the other.
    assert queries[0] == queries[1]
    assert notices() == ["code", "code"]


def test_who_proves_anothers_number_gets_it(as_user: Any, ann: User, bob: User) -> None:  # A46
    link(ann, NUMBER)
    client = as_user(bob)
    client.post(URL, {"method": "sms", "phone_number": NUMBER})
    assert client.put(URL, {"code": sms_code()}).status_code == 200

    assert linked() == [(NUMBER, "bob")]
    assert as_user(ann).get("/auth/me/phone").json() == {
        "phone_number": None,
        "verified_at": None,
        "addresses": [],
    }


@pytest.mark.parametrize("number", ["+4930123456", "+14165550100", "+2348012345678"])
def test_other_countries_get_no_code(as_user: Any, ann: User, set_twilio: Any, number: str) -> None:  # A45
    set_twilio(countries=frozenset({"US"}))
    answer = as_user(ann).post(URL, {"method": "sms", "phone_number": number})

    assert (answer.status_code, answer.json()["codes"]) == (400, {"phone_number": ["country_not_allowed"]})
    assert (LinkCode.objects.count(), Delivery.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"method": "sms"},
        {"method": "sms", "phone_number": None},
        {"method": "sms", "phone_number": ""},
        {"method": "sms", "phone_number": "0100"},
        {"method": "SMS", "phone_number": NUMBER},
        {"method": "call", "phone_number": NUMBER},
        {"method": ["sms"], "phone_number": NUMBER},
        {"method": None},
    ],
)
def test_what_cannot_be_done_is_400(as_user: Any, ann: User, body: Any) -> None:
    assert as_user(ann).post(URL, body).status_code == 400
    assert (LinkCode.objects.count(), Delivery.objects.count()) == (0, 0)


# --- Too many ----------------------------------------------------------------------------------------


def ask(client: Any, number: str = NUMBER) -> Any:
    return client.post(URL, {"method": "sms", "phone_number": number})


def test_a_user_has_one_code_a_minute_whatever_is_lifted(
    as_user: Any, ann: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to("2026-01-02T03:00:00Z", tick=False)
    client = as_user(ann)
    assert ask(client).status_code == 202
    answer = ask(client, "+14155550177")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert LinkCode.objects.get().phone_number == NUMBER
    time_machine.move_to("2026-01-02T03:01:00Z", tick=False)

    assert ask(client, "+14155550177").status_code == 202


def test_a_number_has_three_codes_an_hour_whoever_asks(
    as_user: Any, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to("2026-01-02T03:00:00Z", tick=False)
    users = [UserFactory() for _ in range(4)]
    assert [ask(as_user(user)).status_code for user in users] == [202, 202, 202, 429]
    assert Delivery.objects.count() == 3
    time_machine.move_to("2026-01-02T04:00:00Z", tick=False)

    assert ask(as_user(users[3])).status_code == 202


def test_a_user_has_five_codes_a_day(
    as_user: Any, ann: User, settings: Settings, time_machine: TimeMachineFixture
) -> None:  # A45
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "phone": (5, 86400)}
    statuses = []
    for number in range(6):
        time_machine.move_to(f"2026-01-02T03:{2 * number:02}:00Z", tick=False)
        statuses.append(ask(as_user(ann), f"+141555501{number:02}").status_code)

    assert statuses == [202] * 5 + [429]
    time_machine.move_to("2026-01-03T04:00:00Z", tick=False)
    assert ask(as_user(ann)).status_code == 202


def test_codes_to_text_are_free(as_user: Any, ann: User, settings: Settings) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "phone": (1, 86400)}
    for _ in range(5):
        text_code(as_user(ann))
    assert LinkCode.objects.count() == 1


def test_an_account_has_twenty_addresses_at_most(as_user: Any, ann: User) -> None:
    link(ann, *(f"whatsapp:US.{number}" for number in range(20)))

    for body in ({"method": "text"}, {"method": "sms", "phone_number": NUMBER}):
        assert as_user(ann).post(URL, body).status_code == 400


def test_old_codes_are_swept(as_user: Any, ann: User, bob: User, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to("2026-01-02T03:00:00Z", tick=False)
    text_code(as_user(ann))
    time_machine.move_to("2026-01-02T03:16:00Z", tick=False)
    text_code(as_user(bob))

    assert sweep(dry_run=True) == {"codes for phones": 1}
    assert sweep() == {"codes for phones": 1}
    assert LinkCode.objects.get().user == bob
