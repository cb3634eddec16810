"""A message that comes while the database is away is stored by the retry that Twilio is asked for. D1 A19."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from django.db import connection
from twilio.request_validator import RequestValidator

from accounts.models import User
from aimessage.jobs.tests.processes import Shop
from aimessage.jobs.tests.test_embedded import Server
from aimessage.tests.asserts import assert_problem
from channels.models import Address, Receipt, Sender
from channels.requests import FORM
from channels.tests.credentials import TOKEN
from channels.tests.killing import environment_of
from channels.tests.twilio_stub import TwilioStub
from channels.tests.webhook import ANN_SMS, link, sms
from messaging.models import Conversation, Message
from tests.factories import UserFactory

PUBLIC = "https://chat.example.test"


@pytest.fixture
def server(shop: Shop, twilio: TwilioStub) -> Iterator[Server]:
    # Without a worker nothing but requests has the database open.
    server = Server(shop, AI_MESSAGE_JOBS="off", **environment_of(twilio))
    try:
        yield server
    finally:
        server.kill()
        for model in (Conversation, Receipt, Address, Sender):
            model.objects.all().delete()
        User.objects.filter(username__in=["ann", "desk"]).delete()


@contextmanager
def database_away() -> Iterator[None]:
    name = str(connection.settings_dict["NAME"])
    connection.close()
    if connection.vendor == "sqlite":
        path, elsewhere = Path(name), Path(f"{name}.elsewhere")
        path.rename(elsewhere)
        path.mkdir()
        try:
            yield
        finally:
            path.rmdir()
            elsewhere.rename(path)
        return
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_a_message_outlives_an_outage(server: Server) -> None:
    UserFactory(username="desk")
    ann = UserFactory(username="ann")
    link(ann, ANN_SMS)
    fields = sms("Are you there?")
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}/twilio_webhook", fields)

    def post() -> requests.Response:
        headers = {"X-Twilio-Signature": signature, "Content-Type": FORM}
        url = f"http://127.0.0.1:{server.port}/twilio_webhook"
        return requests.post(url, urlencode(fields), headers=headers, timeout=30)

    with database_away():
        for _ in range(3):
            answer = post()
            assert_problem(answer, 503)
            assert answer.headers["Retry-After"] == "5"
    assert not Message.objects.exists()

    for _ in range(2):
        answer = post()
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml")
    assert list(Message.objects.values_list("sender", "content")) == [(ann.pk, "Are you there?")]
