from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from channels.settings import Twilio
from channels.tests.twilio_stub import TwilioStub, twilio_stub

ACCOUNT = "AC" + "1" * 32
SUBACCOUNT = "AC" + "2" * 32
TOKEN = "token-of-the-account-0123456789"


@pytest.fixture
def twilio(settings: Any) -> Iterator[TwilioStub]:
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
def twilio_with(settings: Any, twilio: TwilioStub) -> Any:
    """`twilio_with(template="HX…")` changes how Twilio is set up."""

    def change(**values: Any) -> None:
        settings.TWILIO = replace(settings.TWILIO, **values)

    return change
