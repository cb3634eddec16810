"""The server as `make run` starts it, alone and behind nginx as it is shipped, which strips /api: a phone is
linked, and an SMS answered in the app. D1 A01, A05 to A07, A16, A17, A44, A48."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from twilio.request_validator import RequestValidator

from accounts.models import User
from aimessage.jobs.tests.processes import Shop, wait_until
from aimessage.jobs.tests.test_embedded import Server
from channels.models import Address, Sender
from channels.tests.credentials import ACCOUNT, TOKEN
from channels.tests.killing import environment_of
from channels.tests.twilio_stub import TwilioStub, twilio_stub
from channels.tests.webhook import ANN_SMS, OURS, sms
from messaging.models import Conversation
from tests.factories import PASSWORD
from tools.drill.nginx import Nginx

pytestmark = pytest.mark.waits

PUBLIC = "https://chat.example.test/api"


class Door:
    """Where PUBLIC, which Twilio and people call, leads to."""

    def __init__(self, base: str, server: Server, logs: Path, certificate: Path | None = None) -> None:
        self.base, self.server, self.logs = base, server, logs
        self.session = requests.Session()
        self.session.trust_env = False
        if certificate is not None:
            self.session.verify = str(certificate)

    def request(self, method: str, path: str, **given: Any) -> requests.Response:
        return self.session.request(method, self.base + path, timeout=30, **given)

    def said(self) -> str:
        """All that was logged, by nginx too, and what /metrics shows."""
        files = [self.server.log, *self.logs.rglob("*.log")]
        metrics = requests.get(f"http://127.0.0.1:{self.server.port}/metrics", timeout=10)
        assert "aimessage_channel" in metrics.text
        return "\n".join([metrics.text, *(file.read_text() for file in files)])


class Phone:
    """ann's, which Twilio stands between us and."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.signatures: list[str] = []

    def call(self, path: str, fields: dict[str, Any], *, signed_for: str = PUBLIC) -> requests.Response:
        self.signatures.append(RequestValidator(TOKEN).compute_signature(signed_for + path, fields))
        headers = {
            "X-Twilio-Signature": self.signatures[-1],
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        }
        return self.door.request("POST", path, data=urlencode(fields).encode(), headers=headers)

    def text(self, body: str, *, times: int = 1) -> None:
        """One SMS, with which Twilio comes so many times at once."""
        fields = sms(body)
        with ThreadPoolExecutor(times) as pool:
            answers = list(pool.map(lambda _: self.call("/twilio_webhook", fields), range(times)))
        for answer in answers:
            assert answer.status_code == 200
            assert answer.headers["Content-Type"] == "text/xml"
            assert answer.text.endswith("<Response/>")


class Person:
    def __init__(self, door: Door, name: str) -> None:
        self.door = door
        account = {"username": name, "password": PASSWORD}
        made = self.ask("POST", "/auth/register", {**account, "email": f"{name}@example.org"})
        self.id: int = made["id"]
        self.token = self.ask("POST", "/auth/login", account)["access_token"]

    token = ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self.door.request(method, path, json=body, headers=headers)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def stub() -> Iterator[TwilioStub]:
    with twilio_stub() as stub:
        yield stub


@pytest.fixture(params=["the server alone", "nginx as it is shipped"])
def door(request: pytest.FixtureRequest, shop: Shop, stub: TwilioStub) -> Iterator[Door]:
    is_behind_nginx = request.param != "the server alone"
    if is_behind_nginx and shutil.which("nginx") is None:
        pytest.skip("nginx is missing. On Debian: apt install nginx")
    settings = environment_of(stub) | {"AI_MESSAGE_PUBLIC_URL": PUBLIC, "DEBUG": "0"}
    settings |= {"AI_MESSAGE_LOGS_FOLDER": str(shop.folder)}
    with ExitStack() as stack:
        stack.callback(_clear)
        server = Server(shop, AI_MESSAGE_TRUSTED_PROXIES=str(int(is_behind_nginx)), **settings)
        stack.callback(server.kill)
        if not is_behind_nginx:
            yield Door(f"http://127.0.0.1:{server.port}", server, shop.folder)
            return
        nginx = Nginx(shop.folder, (server.port, server.port))
        nginx.start()
        stack.callback(nginx.close)
        yield Door(f"https://localhost:{nginx.https}/api", server, shop.folder, nginx.certificate)


def _clear() -> None:
    Conversation.objects.all().delete()
    Address.objects.all().delete()
    Sender.objects.all().delete()
    User.objects.filter(username__in=["ann", "desk"]).delete()


def test_an_sms_is_answered(door: Door, stub: TwilioStub) -> None:
    phone, ann, desk = Phone(door), Person(door, "ann"), Person(door, "desk")
    code = ann.ask("POST", "/auth/me/phone/link", {"method": "text"})
    assert code["send_to"]["sms"] == OURS

    phone.text(code["code"])
    assert [one["address"] for one in ann.ask("GET", "/auth/me/phone")["addresses"]] == [ANN_SMS]
    wait_until(lambda: stub.bodies(ANN_SMS), "the confirmation")

    for elsewhere in ("http://127.0.0.1:8001", PUBLIC.removesuffix("/api"), "https://evil.test/api"):
        refused = phone.call("/twilio_webhook", sms("Not from Twilio"), signed_for=elsewhere)
        assert (refused.status_code, refused.json()["detail"]) == (403, "Invalid signature")
    for path in ("/twilio_webhook/", "/twilio_webhook?t=a%2Fb~c"):
        assert phone.call(path, sms("From a stranger", From="+14155550199")).status_code == 200
    phone.text("Are you open on Sunday?", times=20)
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

    said = door.said()
    assert "outcome=stored" in said
    secrets = [ANN_SMS, OURS, "Sunday", "ten to four", "All day", TOKEN, code["code"][5:], ann.token]
    for secret in [*secrets, *phone.signatures]:
        assert secret.removeprefix("+") not in said
