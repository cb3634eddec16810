"""What is read and reported of a delivery."""

from channels.models import Delivery
from channels.services.states import apply_report
from channels.tests.twilio_stub import Message


def now_is(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return delivery.state


def report(message: Message, status: str, code: int | None = None, *, name: str | None = None) -> None:
    _, _, d = message.callback.partition("?d=")
    apply_report(message.report(status, code), delivery=d if name is None else name)
