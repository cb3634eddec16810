"""Enqueues notices: fixed texts that belong to no message and are sent as deliveries."""

from channels.models import Delivery, LinkCode, Thread


def send_notice(thread: Thread, notice: Delivery.Notice) -> None:
    Delivery.objects.create(thread=thread, notice=notice)


def send_code(code: LinkCode) -> None:
    Delivery.objects.create(code=code, notice=Delivery.Notice.CODE)
