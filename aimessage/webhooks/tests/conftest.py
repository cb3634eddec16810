from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from aimessage.webhooks.models import Endpoint
from aimessage.webhooks.services import register_endpoint
from aimessage.webhooks.tests.receiver import Receiver, receiving


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW = [ip_network("127.0.0.0/8")]
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def endpoint(db: None, receiver: Receiver) -> Endpoint:
    endpoint = Endpoint(url=receiver.url)
    register_endpoint(endpoint)
    return endpoint
