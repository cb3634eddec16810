"""Codes that Twilio Verify sends and checks, behind the same endpoints."""

import json
from typing import Any

import pytest

from accounts.models import User
from channels.models import Address, Delivery, LinkCode
from channels.tests.twilio_stub import Step, TwilioStub

pytestmark = pytest.mark.django_db

URL, NUMBER, SERVICE = "/auth/me/phone/link", "+14155550100", "VA" + "7" * 32


@pytest.fixture
def verify(twilio: TwilioStub, twilio_with: Any) -> TwilioStub:
    twilio_with(verify=SERVICE, countries=frozenset({"US"}), numbers=())
    return twilio


def says(status: str) -> Step:
    return Step(201, text=json.dumps({"sid": "VE1", "status": status}), take=False)


def test_twilio_sends_and_checks_the_code(verify: TwilioStub, as_user: Any, alice: User) -> None:
    client = as_user(alice)
    verify.steps.extend([says("pending"), says("pending"), says("approved")])
    answer = client.post(URL, {"method": "sms", "phone_number": NUMBER})
    assert (answer.status_code, answer.json()["resend_after"]) == (202, 60)
    assert not Delivery.objects.exists()

    assert client.put(URL, {"code": "000000"}).status_code == 400
    answer = client.put(URL, {"code": "123456"})
    assert (answer.status_code, answer.json()["phone_number"]) == (200, NUMBER)
    assert [fields for _, fields in verify.asked] == [
        {"To": NUMBER, "Channel": "sms"},
        {"To": NUMBER, "Code": "000000"},
        {"To": NUMBER, "Code": "123456"},
    ]
    assert Address.objects.get().user == alice
    assert not LinkCode.objects.exists()


@pytest.mark.parametrize("step", [Step(404, 20404), Step(429, 60202)])
def test_a_code_that_twilio_has_no_more_is_wrong(
    verify: TwilioStub, as_user: Any, alice: User, step: Step
) -> None:
    client = as_user(alice)
    verify.steps.extend([says("pending"), step])
    client.post(URL, {"method": "sms", "phone_number": NUMBER})

    assert client.put(URL, {"code": "123456"}).status_code == 400
    assert not Address.objects.exists()


@pytest.mark.parametrize("step", [Step(500), Step(400, 60200), Step(drop="before"), Step(401, 20003)])
def test_where_twilio_does_not_answer_nobody_is_linked(
    verify: TwilioStub, as_user: Any, alice: User, step: Step
) -> None:
    verify.steps.append(step)
    answer = as_user(alice).post(URL, {"method": "sms", "phone_number": NUMBER})

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    verify.steps.append(step)
    answer = as_user(alice).put(URL, {"code": "123456"})
    assert answer.status_code == 503
    assert "14155550100" not in str(answer.json())
    assert not Address.objects.exists()


def test_five_wrong_codes_ask_twilio_five_times(verify: TwilioStub, as_user: Any, alice: User) -> None:
    client = as_user(alice)
    verify.otherwise = says("pending")
    client.post(URL, {"method": "sms", "phone_number": NUMBER})
    verify.asked.clear()

    assert [client.put(URL, {"code": "000000"}).status_code for _ in range(7)] == [400] * 7
    assert len(verify.asked) == 5
