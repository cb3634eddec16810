"""The server as `make run` starts it: a phone is linked, and an SMS answered in the app. D1 A01, A44."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from twilio.request_validator import RequestValidator

from accounts.models import User
from aimessage.jobs.tests.conftest import migrated, shop  # noqa: F401  fixtures
from aimessage.jobs.tests.processes import Shop, wait_until
from aimessage.jobs.tests.test_embedded import Server
from channels.models import Address, Sender
from channels.tests.conftest import ACCOUNT, TOKEN
from channels.tests.killing import environment_of
from channels.tests.twilio_stub import TwilioStub, twilio_stub
from channels.tests.webhook import ANN_SMS, OURS, sms
from messaging.models import Conversation
from tests.factories import PASSWORD

PUBLIC = "https://chat.example.test/api"


class Phone:
    """ann's, which Twilio stands between us and."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def call(self, path: str, fields: dict[str, Any]) -> requests.Response:
        """Twilio calls the public address, below which a proxy strips /api."""
        signature = RequestValidator(TOKEN).compute_signature(PUBLIC + path, fields)
        headers = {
            "X-Twilio-Signature": signature,
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        }
        return requests.post(self.base + path, urlencode(fields).encode(), headers=headers, timeout=10)

    def text(self, body: str) -> None:
        answer = self.call("/twilio_webhook", sms(body))
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/xml"
        assert answer.text.endswith("<Response/>")


class Person:
    def __init__(self, port: int, name: str) -> None:
        self.base = f"http://127.0.0.1:{port}"
        account = {"username": name, "password": PASSWORD}
        made = self.ask("POST", "/auth/register", {**account, "email": f"{name}@example.org"})
        self.id: int = made["id"]
        self.token = self.ask("POST", "/auth/login", account)["access_token"]

    token = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = requests.request(method, self.base + path, json=body, headers=headers, timeout=10)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def stub() -> Iterator[TwilioStub]:
    with twilio_stub() as stub:
        yield stub


@pytest.fixture
def port(shop: Shop, stub: TwilioStub) -> Iterator[int]:  # noqa: F811
    settings = environment_of(stub) | {"AI_MESSAGE_PUBLIC_URL": PUBLIC, "DEBUG": "0"}
    server = Server(shop, **settings)
    try:
        yield server.port
    finally:
        server.kill()
        Conversation.objects.all().delete()
        Address.objects.all().delete()
        Sender.objects.all().delete()
        User.objects.filter(username__in=["ann", "desk"]).delete()


def test_an_sms_is_answered(port: int, stub: TwilioStub) -> None:
    phone, ann, desk = Phone(port), Person(port, "ann"), Person(port, "desk")
    code = ann.ask("POST", "/auth/me/phone/link", {"method": "text"})
    assert code["send_to"]["sms"] == OURS

    phone.text(code["code"])
    assert [one["address"] for one in ann.ask("GET", "/auth/me/phone")["addresses"]] == [ANN_SMS]
    wait_until(lambda: stub.bodies(ANN_SMS), "the confirmation")

    phone.text("Are you open on Sunday?")
    [question] = desk.ask("GET", "/messages/received")
    assert (question["sender_id"], question["content"]) == (ann.id, "Are you open on Sunday?")

    answer = desk.ask("POST", "/messages", {"recipient_id": ann.id, "content": "From ten to four."})
    wait_until(lambda: len(stub.messages) == 2, "the answer")
    sent = stub.messages[1]
    assert (sent.to, sent.fields["From"], sent.body) == (ANN_SMS, OURS, "From ten to four.")
    assert sent.account == ACCOUNT
    assert sent.callback.startswith(f"{PUBLIC}/twilio_webhook/status?d=")

    def state() -> str:
        [part] = desk.ask("GET", f"/messages/{answer['id']}/delivery")
        shown: str = part["state"]
        return shown

    wait_until(lambda: state() == "accepted", "what Twilio said")
    for status in ("delivered", "sent"):
        told = phone.call(sent.callback.removeprefix(PUBLIC), sent.report(status))
        assert told.status_code == 204
    assert state() == "delivered"

    ann.ask("POST", "/messages", {"recipient_id": desk.id, "content": "Thank you!"})
    desk.ask("POST", "/messages", {"recipient_id": ann.id, "content": "You are welcome."})
    phone.text("And on Monday?")
    desk.ask("POST", "/messages", {"recipient_id": ann.id, "content": "All day."})
    wait_until(lambda: len(stub.messages) == 3, "the last answer")
    assert stub.bodies(ANN_SMS)[1:] == ["From ten to four.", "All day."]
    conversation = ann.ask("GET", "/auth/conversations")
    assert len(conversation) == 1
    assert len(ann.ask("GET", "/messages")) == 6
