"""Questions that come by SMS, and answers that go out again. Cases A01, A30, A31, A47 and A50."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from assistant.models import Reply
from assistant.services.handoff import HANDED_OVER, answer_as_person
from assistant.tests.conftest import SwitchOn, answers_to, work
from assistant.tests.stub import Says
from channels.models import Delivery
from channels.tests.webhook import ANN_SMS, PUBLIC, Twilio, link, sms
from messaging.models import Message
from reports.models import Report

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("channels_on")]


@pytest.fixture
def twilio(settings: Settings, switch_on: SwitchOn, alice: User) -> Twilio:
    switch_on(Says("Hi there"))
    settings.TWILIO, settings.PUBLIC_URLS = replace(settings.TWILIO, inbox=""), [PUBLIC]
    link(alice, ANN_SMS)
    return Twilio("token-of-the-account-0123456789", Client())


def test_a_question_by_sms_is_answered_by_sms(twilio: Twilio, alice: User) -> None:  # A01
    twilio.post(sms("Hello"))
    work()

    (answer,) = answers_to(alice)
    assert "Hi there" in answer
    delivery = Delivery.objects.get()
    assert (delivery.message.content, delivery.state) == (answer, "pending")
    assert (delivery.thread.reply_to, delivery.thread.sender.address) == (ANN_SMS, "+15005550006")


def test_a_question_that_comes_twice_is_answered_once(twilio: Twilio, alice: User) -> None:  # A17
    fields = sms("Hello")
    for _ in range(2):
        twilio.post(fields)
        work()

    assert len(answers_to(alice)) == 1
    assert (Reply.objects.count(), Delivery.objects.count()) == (1, 1)


def test_a_question_by_app_is_answered_there_alone(twilio: Twilio, alice: User, as_user: Any) -> None:  # A50
    twilio.post(sms("By SMS"))
    work()
    as_user(alice).post("/messages", {"recipient_id": -1, "content": "By app"})
    work()

    assert len(answers_to(alice)) == 2
    assert Delivery.objects.count() == 1


def test_who_asks_for_a_person_by_sms_is_answered_by_sms(  # B45
    twilio: Twilio, alice: User, superuser: User
) -> None:
    twilio.post(sms("/human"))
    report = Report.objects.get()
    answer_as_person(report, actor=superuser, text="It is on its way.")

    assert report.reporter == alice
    assert answers_to(alice) == [HANDED_OVER, f"{superuser.full_name} (support): It is on its way."]
    deliveries = Delivery.objects.order_by("pk").values_list("message__content", "thread__reply_to")
    assert list(deliveries) == [(text, ANN_SMS) for text in answers_to(alice)]


def test_whoever_wants_no_messages_is_owed_no_answer(twilio: Twilio, alice: User) -> None:
    twilio.post(sms("STOP"))
    twilio.post(sms("But tell me"))
    work()

    assert Message.objects.get().content == "But tell me"
    assert not Reply.objects.exists()


def test_an_answer_that_comes_after_stop_stays_in_the_app(twilio: Twilio, alice: User) -> None:  # A31
    twilio.post(sms("Hello"))
    twilio.post(sms("STOP"))
    work()

    assert len(answers_to(alice)) == 1
    assert Delivery.objects.get().state == "skipped"


def test_what_is_past_the_rate_is_stored_and_not_answered(
    twilio: Twilio, alice: User, settings: Settings
) -> None:  # A47
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "channel": (3, 60)}
    for number in range(5):
        twilio.post(sms(f"{number}"))

    assert Message.objects.filter(sender=alice).count() == 5
    assert list(Reply.objects.order_by("pk").values_list("question__content", flat=True)) == ["0", "1", "2"]
