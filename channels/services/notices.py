"""Fixed texts of ours, which are no messages: they are deliveries from the start, and sent as those are."""

from channels.models import Delivery, LinkCode, Thread


def send_notice(thread: Thread, notice: Delivery.Notice) -> None:
    Delivery.objects.create(thread=thread, notice=notice)


def send_code(code: LinkCode) -> None:
    Delivery.objects.create(code=code, notice=Delivery.Notice.CODE)
