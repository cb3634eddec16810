from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from channels.models import Delivery
from channels.settings import Twilio
from channels.tests import webhook
from channels.tests.carrying import link, reply, text_in
from channels.tests.credentials import ACCOUNT, TOKEN
from channels.tests.twilio_stub import TwilioStub, twilio_stub
from tests.factories import UserFactory


@pytest.fixture
def twilio(settings: Settings) -> Iterator[TwilioStub]:
    """Twilio is on, and the stub stands where it is."""
    with twilio_stub() as stub:
        settings.TWILIO = Twilio(
            account=ACCOUNT,
            tokens={ACCOUNT: (TOKEN,)},
            numbers=("+15005550006", "whatsapp:+15005550006"),
            url=stub.url,
        )
        yield stub


@pytest.fixture
def twilio_with(settings: Settings, twilio: TwilioStub) -> Any:
    """`twilio_with(template="HX…")` changes how Twilio is set up."""

    def change(**values: Any) -> None:
        settings.TWILIO = replace(settings.TWILIO, **values)

    return change


@pytest.fixture
def bot(db: None) -> User:
    """Whom people write to."""
    return UserFactory(username="helper", kind=User.Kind.BOT)


@pytest.fixture
def ann(alice: User) -> User:
    return alice


@pytest.fixture
def twilio_calls(settings: Settings, bot: User) -> webhook.Twilio:
    """Twilio is on, and calls us; what goes out to it stays where it is."""
    settings.TWILIO = Twilio(
        account=ACCOUNT,
        tokens={ACCOUNT: (TOKEN,)},
        numbers=(webhook.OURS, webhook.OURS_WHATSAPP),
        countries=frozenset({"US", "DE"}),
        inbox="helper",
    )
    settings.PUBLIC_URLS = [webhook.PUBLIC]
    return webhook.Twilio(TOKEN, Client())


@pytest.fixture
def set_twilio(settings: Settings) -> Any:
    """`set_twilio(unknown="contact")` changes how Twilio is set up."""

    def change(**values: Any) -> None:
        settings.TWILIO = replace(settings.TWILIO, **values)

    return change


@pytest.fixture
def desk(db: None, twilio_with: Any) -> User:
    """The account that is written to by SMS and WhatsApp."""
    desk: User = UserFactory(username="desk", full_name="The desk")
    twilio_with(inbox="desk")
    return desk


@pytest.fixture
def due(desk: User, alice: User) -> Delivery:
    """The delivery of an answer to alice's SMS; it is due."""
    link(alice)
    text_in("Hello")
    [delivery] = reply(desk, alice)
    return delivery


@pytest.fixture
def ann_linked(twilio_calls: webhook.Twilio, ann: User) -> None:
    webhook.link(ann, webhook.ANN_SMS, webhook.ANN_WHATSAPP)
