"""Fixed texts of ours, which are no messages: they are deliveries from the start."""

from channels.models import Delivery, LinkCode, Thread
from channels.services.queue import enqueue


def send_notice(thread: Thread, notice: Delivery.Notice) -> None:
    enqueue(Delivery.objects.create(thread=thread, notice=notice))


def send_code(code: LinkCode) -> None:
    enqueue(Delivery.objects.create(code=code, notice=Delivery.Notice.CODE))
