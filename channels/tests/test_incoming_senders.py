"""Whom a message that comes in is from, and what strangers get."""

from typing import Any

import pytest

from accounts.models import User
from channels.models import Address, Delivery, Receipt, Thread
from channels.tests.incoming import Outcome, contents, notices, outcomes
from channels.tests.webhook import ANN_WHATSAPP, Twilio, link, sms, whatsapp
from messaging.models import Block, Message

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ann_linked")]


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
