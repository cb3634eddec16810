"""Whether SMS and WhatsApp are on; read on each call, so that tests can switch them."""

from datetime import timedelta

from django.conf import settings

from aimessage.api.problems import NOT_FOUND, NotFound
from channels.settings import Twilio


def twilio_or_404() -> Twilio:
    """Raises NotFound if Twilio is off, as if the path did not exist."""
    twilio: Twilio | None = settings.TWILIO
    if twilio is None:
        raise NotFound(NOT_FOUND)
    return twilio


def configured() -> Twilio:
    twilio: Twilio | None = settings.TWILIO
    if twilio is None:
        raise RuntimeError("Twilio is off")
    return twilio


def paced(seconds: float) -> timedelta:
    return timedelta(seconds=seconds * configured().pace)
