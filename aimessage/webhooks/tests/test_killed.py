"""A worker that is killed in the middle of a call."""

import os
import signal
from typing import Any

from aimessage.jobs.tests.processes import Shop, wait_until
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.services import register_endpoint, send_test
from aimessage.webhooks.tests.receiver import Receiver


def test_what_it_was_sending_is_sent_by_another(
    shop: Shop,
    receiver: Receiver,
) -> None:
    def start() -> Any:
        return shop.start("--queues", "webhooks", AI_MESSAGE_WEBHOOK_ALLOW="127.0.0.1")

    receiver.answer = "hang"
    endpoint = Endpoint(url=receiver.url)
    register_endpoint(endpoint)
    delivery = send_test(endpoint)
    worker = start()
    wait_until(lambda: receiver.got, "a call")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    receiver.answer = 200

    start()
    wait_until(lambda: Delivery.objects.get(pk=delivery.pk).status == "delivered", "another call")

    assert [headers["webhook-id"] for headers, _ in receiver.got] == [delivery.webhook_id] * 2
    assert len({body for _, body in receiver.got}) == 1
