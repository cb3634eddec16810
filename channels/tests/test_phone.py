"""GET and PUT /auth/me/phone, DELETE /auth/me/phone/addresses/{id}."""

from typing import Any

import pytest
from time_machine import TimeMachineFixture

from accounts.models import User
from aimessage.events.models import Event
from channels.models import Address, Alias, Delivery, Receipt, Thread
from channels.services.addresses import link_address
from channels.tests.webhook import ANN_SMS, ANN_WHATSAPP, Twilio, link, sms, whatsapp
from messaging.models import Message

pytestmark = pytest.mark.django_db

URL = "/auth/me/phone"


@pytest.fixture(autouse=True)
def _on(twilio_calls: Twilio) -> None:
    pass


def test_it_shows_the_number_and_the_addresses(
    as_user: Any, ann: User, bob: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to("2026-01-02T03:04:05.678901Z", tick=False)
    assert as_user(ann).get(URL).json() == {"phone_number": None, "verified_at": None, "addresses": []}
    first, second = link(ann, ANN_SMS, ANN_WHATSAPP)
    link(bob, "whatsapp:US.1")

    time = "2026-01-02T03:04:05.678901Z"
    shown = {"linked_at": time, "opted_out": False}
    assert as_user(ann).get(URL).json() == {
        "phone_number": ANN_SMS,
        "verified_at": time,
        "addresses": [
            {"id": first.pk, "channel": "sms", "address": ANN_SMS, **shown},
            {"id": second.pk, "channel": "whatsapp", "address": ANN_WHATSAPP, **shown},
        ],
    }


def test_a_number_that_is_set_is_not_proved_by_that(as_user: Any, ann: User, twilio_calls: Twilio) -> None:
    answer = as_user(ann).put(URL, {"phone_number": "+1 (415) 555-0100"})

    assert (answer.status_code, answer.json()) == (200, as_user(ann).get("/auth/me").json())
    assert answer.json()["phone_number"] == ANN_SMS
    assert as_user(ann).get(URL).json() == {
        "phone_number": ANN_SMS,
        "verified_at": None,
        "addresses": [],
    }
    twilio_calls.post(sms())
    assert not Message.objects.exists()
    assert Event.objects.filter(kind="user.updated").exists()


@pytest.mark.parametrize("nothing", [None, ""])
def test_clearing_the_number_unlinks_every_address(
    as_user: Any, ann: User, bob: User, twilio_calls: Twilio, nothing: Any
) -> None:
    link(ann, ANN_SMS, ANN_WHATSAPP)
    [kept] = link(bob, "+14155550177")
    twilio_calls.post(sms("Hello"))
    answer = as_user(ann).put(URL, {"phone_number": nothing})

    assert (answer.status_code, answer.json()["phone_number"]) == (200, None)
    assert as_user(ann).get(URL).json() == {"phone_number": None, "verified_at": None, "addresses": []}
    twilio_calls.post(sms("Hello again"))
    assert Message.objects.count() == 1
    assert list(Address.objects.all()) == [kept]


def test_nothing_sent_changes_nothing(as_user: Any, ann: User) -> None:
    link(ann, ANN_SMS)
    answer = as_user(ann).put(URL, {})

    assert (answer.status_code, answer.json()["phone_number"]) == (200, ANN_SMS)
    assert len(as_user(ann).get(URL).json()["addresses"]) == 1


@pytest.mark.parametrize(
    "number", ["", "123", "+1", "+1 415 555 0100 ext 5", "whatsapp:+14155550100", "+49 30 1234567890123456"]
)
def test_what_is_no_number_is_refused(as_user: Any, ann: User, number: str) -> None:
    if number:
        assert as_user(ann).put(URL, {"phone_number": number}).status_code == 400
    for other in (1, True, [], {}, 1.5):
        assert as_user(ann).put(URL, {"phone_number": other}).status_code == 400
    assert User.objects.get(pk=ann.pk).phone_number is None


def test_anothers_number_is_refused(as_user: Any, ann: User, bob: User) -> None:  # A46
    link(ann, ANN_SMS)
    answer = as_user(bob).put(URL, {"phone_number": ANN_SMS})

    assert (answer.status_code, answer.json()["detail"]) == (400, "Phone number already registered")
    assert answer.json()["codes"] == {"phone_number": ["taken"]}
    # Proved, and no longer named: it is still hers.
    as_user(ann).put(URL, {"phone_number": "+4930123456"})
    assert as_user(bob).put(URL, {"phone_number": ANN_SMS}).status_code == 400
    # Named, and not proved.
    assert as_user(bob).put(URL, {"phone_number": "+4930123456"}).status_code == 400
    assert User.objects.get(pk=bob.pk).phone_number is None


def test_an_unproved_claim_gives_way_to_proof(as_user: Any, ann: User, bob: User) -> None:
    as_user(bob).put(URL, {"phone_number": ANN_SMS})
    link(ann, ANN_SMS)

    assert User.objects.get(pk=bob.pk).phone_number is None
    assert User.objects.get(pk=ann.pk).phone_number == ANN_SMS
    updated = [one.data["user_id"] for one in Event.objects.filter(kind="user.updated")]
    assert updated[-2:] == [bob.pk, ann.pk]


def test_an_address_of_whatsapp_does_not_become_the_number(as_user: Any, ann: User) -> None:
    link(ann, ANN_WHATSAPP)

    assert as_user(ann).get(URL).json()["phone_number"] is None


def test_what_is_no_number_to_us_is_linked_all_the_same(
    as_user: Any, ann: User, twilio_calls: Twilio
) -> None:
    link(ann, "12345", "whatsapp:+5215512345678")
    twilio_calls.post(sms("From a short code", From="12345"))
    twilio_calls.post(whatsapp("From Mexico", From="whatsapp:+5215512345678"))

    assert Message.objects.filter(sender=ann).count() == 2
    assert as_user(ann).get(URL).json()["phone_number"] is None


def test_an_address_is_removed(as_user: Any, ann: User, twilio_calls: Twilio) -> None:
    link(ann, ANN_SMS, ANN_WHATSAPP)
    twilio_calls.post(whatsapp("Hello", ExternalUserId="US.1"))
    one = Address.objects.get(value=ANN_WHATSAPP)
    answer = as_user(ann).delete(f"{URL}/addresses/{one.pk}")

    assert (answer.status_code, answer.json()) == (200, {"message": "Address removed successfully"})
    twilio_calls.post(whatsapp("Am I known?"))
    twilio_calls.post(whatsapp("And so?", From="whatsapp:US.1"))
    twilio_calls.post(sms("By SMS"))
    assert list(Message.objects.values_list("content", flat=True)) == ["Hello", "By SMS"]
    assert not Alias.objects.exists()
    assert list(Thread.objects.values_list("address__value", flat=True)) == [ANN_SMS]
    assert as_user(ann).delete(f"{URL}/addresses/{one.pk}").status_code == 404


def test_who_wants_no_messages_is_remembered_without_an_account(
    as_user: Any, ann: User, bob: User, twilio_calls: Twilio
) -> None:
    [address] = link(ann, ANN_WHATSAPP)
    twilio_calls.post(whatsapp("Hello"))
    twilio_calls.post(whatsapp("STOP"))
    as_user(ann).delete(f"{URL}/addresses/{address.pk}")

    address.refresh_from_db()
    assert (address.user, address.linked_at, address.opted_out) == (None, None, True)
    assert not Thread.objects.exists()
    assert link(bob, ANN_WHATSAPP)[0].opted_out


@pytest.mark.parametrize("pk", ["0", "-1", "99999999999999999999", "abc", "1.0", "{foreign}"])
def test_others_addresses_are_none(as_user: Any, ann: User, bob: User, pk: str) -> None:
    [foreign] = link(bob, "+14155550177")
    answer = as_user(ann).delete(f"{URL}/addresses/{pk.format(foreign=foreign.pk)}")

    assert (answer.status_code, answer.json()["detail"]) == (404, "Address not found")
    assert Address.objects.count() == 1


def test_whoever_loses_a_number_is_told_and_gets_nothing_more_of_it(
    ann: User, bob: User, twilio_calls: Twilio
) -> None:  # A46
    from aimessage.mail.models import Mail

    User.objects.filter(pk=ann.pk).update(email_verified_at=ann.created_at)
    link(ann, ANN_SMS)
    twilio_calls.post(sms("From ann"))
    thread = Thread.objects.get()
    Delivery.objects.create(message=Message.objects.get(), thread=thread)

    link_address(ANN_SMS, user=bob, proof=Address.Proof.SMS)
    assert list(Mail.objects.values_list("kind", "user", "facts")) == [
        ("phone_lost", ann.pk, {"ending": "…0100"})
    ]
    assert not Delivery.objects.exists()
    twilio_calls.post(sms("From bob"))
    assert list(Message.objects.order_by("pk").values_list("sender", flat=True)) == [ann.pk, bob.pk]
    assert User.objects.get(pk=ann.pk).phone_number is None
    assert User.objects.get(pk=bob.pk).phone_number == ANN_SMS
    assert Receipt.objects.count() == 2


def test_personal_tokens_read_and_write_the_number_and_link_nothing(as_program: Any, ann: User) -> None:
    [address] = link(ann, ANN_SMS)
    program = as_program(ann, "profile:read", "profile:write")

    assert program.get(URL).status_code == 200
    assert program.put(URL, {}).status_code == 200
    for method, path in (("post", "/link"), ("put", "/link"), ("delete", f"/addresses/{address.pk}")):
        assert getattr(program, method)(URL + path, {}).json()["code"] == "session_required"
