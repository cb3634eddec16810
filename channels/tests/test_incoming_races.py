"""Messages and codes that race. Cases A17 and A26."""

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError

from accounts.models import User
from accounts.services.users import delete_user
from aimessage.tests.threads import run_together
from channels.codes import code_of
from channels.models import Address, Delivery, LinkCode, Receipt, Sender
from channels.services.linking import find_texted_code
from channels.tests.webhook import ANN_SMS, Twilio, link, sms
from messaging.models import Message
from tests.factories import UserFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

URL = "/auth/me/phone/link"


def post_together(twilio: Twilio, forms: list[dict[str, Any]]) -> None:
    answers = run_together(*(partial(twilio.post, fields) for fields in forms))

    assert {(answer.status_code, answer["Content-Type"]) for answer in answers} == {(200, "text/xml")}


def test_a_message_that_comes_twenty_times_at_once_is_one(twilio_calls: Twilio, ann: User) -> None:  # A17
    link(ann, ANN_SMS)
    post_together(twilio_calls, [sms("Hello", MessageSid="SM" + "1" * 32)] * 20)

    assert (Message.objects.count(), Receipt.objects.count(), Sender.objects.count()) == (1, 1, 1)
    assert Receipt.objects.get().outcome == "stored"


def test_ten_messages_at_once_are_ten(twilio_calls: Twilio, ann: User) -> None:
    link(ann, ANN_SMS)
    post_together(twilio_calls, [sms(f"{number}") for number in range(10)])

    assert set(Message.objects.values_list("content", flat=True)) == {str(number) for number in range(10)}


def test_whoever_writes_ten_times_at_once_is_one_contact(twilio_calls: Twilio, set_twilio: Any) -> None:
    set_twilio(unknown="contact")
    post_together(twilio_calls, [sms(f"{number}", From="+14155550199") for number in range(10)])

    assert User.objects.filter(kind="contact").count() == 1
    assert Message.objects.count() == 10


def test_whoever_writes_ten_times_at_once_is_invited_once(twilio_calls: Twilio, set_twilio: Any) -> None:
    set_twilio(unknown="invite")
    post_together(twilio_calls, [sms("Hello", From="+14155550199") for _ in range(10)])

    assert Delivery.objects.count() == 1


def test_of_many_who_text_one_code_one_links(twilio_calls: Twilio, ann: User, as_user: Any) -> None:
    code = as_user(ann).post(URL, {"method": "text"}).json()["code"]
    post_together(twilio_calls, [sms(code, From=f"+1415555010{number}") for number in range(8)])

    assert Address.objects.count() == 1
    assert list(Delivery.objects.values_list("notice", flat=True)) == ["linked"]


def test_of_many_codes_at_once_one_counts(twilio_calls: Twilio, ann: User, as_user: Any) -> None:
    clients = [as_user(ann) for _ in range(6)]
    answers = run_together(*(partial(client.post, URL, {"method": "text"}) for client in clients))

    assert {answer.status_code for answer in answers} <= {201, 409}
    codes = [answer.json()["code"] for answer in answers if answer.status_code == 201]
    assert codes
    assert LinkCode.objects.count() == 1
    assert sum(find_texted_code(code) is not None for code in codes) == 1


def test_a_user_gets_one_code_by_sms_however_many_requests_race(
    twilio_calls: Twilio, ann: User, as_user: Any
) -> None:
    clients, body = [as_user(ann) for _ in range(6)], {"method": "sms", "phone_number": ANN_SMS}
    answers = run_together(*(partial(client.post, URL, body) for client in clients))

    assert sorted(answer.status_code for answer in answers) == [202] + [429] * 5
    assert Delivery.objects.count() == 1


def test_wrong_codes_at_once_are_all_counted(twilio_calls: Twilio, ann: User, as_user: Any) -> None:
    as_user(ann).post(URL, {"method": "sms", "phone_number": ANN_SMS})
    code = code_of(LinkCode.objects.get())
    wrong = "000000" if code != "000000" else "000001"
    clients = [as_user(ann) for _ in range(5)]
    run_together(*(partial(client.put, URL, {"code": wrong}) for client in clients))

    assert as_user(ann).put(URL, {"code": code}).status_code == 400


def test_a_code_typed_many_times_at_once_links_once(twilio_calls: Twilio, ann: User, as_user: Any) -> None:
    as_user(ann).post(URL, {"method": "sms", "phone_number": ANN_SMS})
    code, clients = code_of(LinkCode.objects.get()), [as_user(ann) for _ in range(6)]
    answers = run_together(*(partial(client.put, URL, {"code": code}) for client in clients))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5


def test_two_who_prove_each_others_numbers_both_get_them(
    twilio_calls: Twilio, ann: User, bob: User, as_user: Any
) -> None:
    link(ann, "+14155550101")
    link(bob, "+14155550102")
    for user, number in ((ann, "+14155550102"), (bob, "+14155550101")):
        as_user(user).post(URL, {"method": "sms", "phone_number": number})
    codes = {user: code_of(LinkCode.objects.get(user=user)) for user in (ann, bob)}
    answers = run_together(*(partial(as_user(user).put, URL, {"code": codes[user]}) for user in codes))

    done = [answer.status_code for answer in answers]
    # Who is asked to come again has lost nothing.
    assert set(done) <= {200, 409, 503}
    assert 200 in done
    for user, status in zip(codes, done, strict=True):
        if status != 200:
            assert as_user(user).put(URL, {"code": codes[user]}).status_code == 200
    assert set(Address.objects.values_list("value", "user")) == {
        ("+14155550102", ann.pk),
        ("+14155550101", bob.pk),
    }
    assert User.objects.get(pk=ann.pk).phone_number == "+14155550102"


def test_an_address_that_is_removed_while_messages_come_breaks_none(
    twilio_calls: Twilio, ann: User, as_user: Any
) -> None:
    [address] = link(ann, ANN_SMS)
    client = as_user(ann)
    calls = [partial(twilio_calls.post, sms(f"{number}")) for number in range(8)]
    calls.insert(4, partial(client.delete, f"/auth/me/phone/addresses/{address.pk}"))
    answers = run_together(*calls)

    assert [answer.status_code for answer in answers] == [200] * 9
    assert Receipt.objects.count() == 8
    assert Message.objects.count() == Receipt.objects.filter(outcome="stored").count()


def test_an_account_that_is_deleted_while_it_writes_breaks_nothing(
    twilio_calls: Twilio, superuser: User
) -> None:
    user = UserFactory()
    link(user, ANN_SMS)
    calls: list[Any] = [partial(twilio_calls.post, sms(f"{number}")) for number in range(6)]
    calls.append(partial(_delete, user, superuser))
    answers = run_together(*calls)

    assert [answer.status_code for answer in answers[:-1]] == [200] * 6


def _delete(user: User, superuser: User) -> None:
    with suppress(IntegrityError, OperationalError):  # a 409 or 503 in the admin
        delete_user(user, actor=superuser)
