"""Whether there are channels at all, asked by each request."""

from datetime import timedelta

from django.conf import settings

from aimessage.api.problems import NOT_FOUND, NotFound
from channels.settings import Twilio


def twilio_or_404() -> Twilio:
    """Raises NotFound where Twilio is off: there is no such path."""
    twilio: Twilio | None = settings.TWILIO
    if twilio is None:
        raise NotFound(NOT_FOUND)
    return twilio


def configured() -> Twilio:
    """For what runs only where Twilio is on."""
    twilio: Twilio | None = settings.TWILIO
    if twilio is None:
        raise RuntimeError("Twilio is off")
    return twilio


def paced(seconds: float) -> timedelta:
    """How long to wait; tests are quicker."""
    return timedelta(seconds=seconds * configured().pace)
