"""Where Twilio says that there is no phone at an address (30005, 30006), it is its user's no more. D1 A35."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from aimessage.mail.models import Mail
from channels.models import Address, Delivery, Receipt
from channels.services.addresses import link_address
from channels.services.states import apply_report
from channels.tests.carrying import PHONE, carry, reply, text_in
from channels.tests.twilio_stub import Step, TwilioStub
from conftest import ApiClient


@pytest.fixture
def delivery(desk: User, alice: User, twilio: TwilioStub) -> Delivery:
    """The delivery of an answer to alice's SMS; it is due."""
    User.objects.filter(pk=alice.pk).update(email_verified_at=timezone.now())
    link_address(PHONE, user=alice, proof=Address.Proof.TEXT)
    text_in("Hello")
    [delivery] = reply(desk, alice)
    return delivery


def report(twilio: TwilioStub, status: str, code: int | None = None) -> None:
    apply_report(twilio.messages[0].report(status, code), delivery="")


@pytest.mark.parametrize("code", [30005, 30006])
@pytest.mark.parametrize("way", ["answer", "report"])
def test_its_user_loses_the_address_and_is_told(
    desk: User, alice: User, as_user: ApiClient, delivery: Delivery, twilio: TwilioStub, code: int, way: str
) -> None:
    if way == "answer":
        twilio.steps.append(Step(400, code))
        carry()
    else:
        carry()
        report(twilio, "undelivered", code)

    [shown] = as_user(desk).get(f"/messages/{delivery.message_id}/delivery").json()
    assert (shown["state"], shown["error_code"]) == ("failed", code)
    # The number is claimed as before, and not proved any more.
    phone = as_user(alice).get("/auth/me/phone").json()
    assert phone == {"phone_number": PHONE, "verified_at": None, "addresses": []}
    told = list(Mail.objects.values_list("kind", "user", "facts"))
    assert told == [("phone_unreachable", alice.pk, {"ending": "…0100"})]

    assert reply(desk, alice, "More") == []
    text_in("Am I known?")
    assert Receipt.objects.latest("pk").outcome == "unknown"
    assert len(twilio.asked) == 1


@pytest.mark.parametrize("code", [21211, 21614, 30003, 30007, 99999])
def test_other_failures_take_nothing_from_anybody(
    alice: User, delivery: Delivery, twilio: TwilioStub, code: int
) -> None:
    carry()
    report(twilio, "undelivered", code)

    assert (Address.objects.get().user, Mail.objects.count()) == (alice, 0)


def test_what_waits_for_the_address_is_not_sent(
    desk: User, alice: User, delivery: Delivery, twilio: TwilioStub
) -> None:
    carry()
    [behind] = reply(desk, alice, "Behind it")
    report(twilio, "undelivered", 30006)
    carry()

    behind.refresh_from_db()
    assert (behind.state, len(twilio.asked)) == ("skipped", 1)


def test_what_was_written_before_the_address_was_proved_again_says_nothing(
    alice: User, delivery: Delivery, twilio: TwilioStub
) -> None:
    carry()
    link_address(PHONE, user=alice, proof=Address.Proof.TEXT)
    report(twilio, "undelivered", 30006)

    delivery.refresh_from_db()
    assert delivery.state == "failed"
    assert (Address.objects.get().user, Mail.objects.count()) == (alice, 0)


def test_a_message_that_was_read_reached_somebody(
    alice: User, delivery: Delivery, twilio: TwilioStub
) -> None:
    carry()
    report(twilio, "read")
    report(twilio, "undelivered", 30006)

    assert (Address.objects.get().user, Mail.objects.count()) == (alice, 0)


def test_a_contact_has_proved_nothing_and_keeps_its_address(
    desk: User, twilio: TwilioStub, twilio_with: Any
) -> None:
    twilio_with(unknown="contact")
    text_in("Hello")
    contact = User.objects.get(kind="contact")
    reply(desk, contact)
    carry()
    report(twilio, "undelivered", 30005)

    assert (Delivery.objects.get().state, Address.objects.get().user) == ("failed", contact)
    assert not Mail.objects.exists()


def test_an_opt_out_outlives_the_link(alice: User, bob: User, delivery: Delivery, twilio: TwilioStub) -> None:
    carry()
    text_in("STOP")
    report(twilio, "undelivered", 30006)

    assert Address.objects.get().opted_out
    assert link_address(PHONE, user=bob, proof=Address.Proof.SMS).opted_out
    assert not Delivery.objects.exists()
