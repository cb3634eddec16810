"""What twilio_webhook.log and auth.log say of what comes in: one line a request, and nothing private. A48."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from accounts.models import User
from aimessage.server.logs import OneLineFormatter, RequestIdFilter, logging_config
from channels.codes import code_of
from channels.masking import mask
from channels.models import LinkCode
from channels.tests.credentials import TOKEN
from channels.tests.webhook import ANN_SMS, ANN_WHATSAPP, OURS, Twilio, link, sms, whatsapp

pytestmark = pytest.mark.django_db


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Any]:
    """`logs("auth")` is the lines of that file so far."""
    handlers = {}
    line = logging_config(tmp_path)["formatters"]["line"]["format"]
    for name in ("auth", "messages", "twilio_webhook"):
        handlers[name] = logging.FileHandler(tmp_path / f"{name}.log", encoding="utf-8")
        handlers[name].addFilter(RequestIdFilter())
        handlers[name].setFormatter(OneLineFormatter(line))
        logging.getLogger(name).addHandler(handlers[name])
    yield lambda name: (tmp_path / f"{name}.log").read_text().splitlines()
    for name, handler in handlers.items():
        logging.getLogger(name).removeHandler(handler)
        handler.close()


def test_each_request_is_one_line(twilio_calls: Twilio, ann: User, logs: Any) -> None:
    link(ann, ANN_SMS)
    fields = sms("Secret\nplans", ProfileName="Ann\nArcher")
    twilio_calls.post(fields)
    twilio_calls.post(fields)
    twilio_calls.post(whatsapp("Hi", From="whatsapp:US.1349120865"))
    twilio_calls.post(sms(AccountSid="AC" + "9" * 32))
    twilio_calls.post(sms(AccountSid="x\nforged: line"))

    sid = fields["MessageSid"]
    lines = [one.partition("] ")[2] for one in logs("twilio_webhook")]
    assert len(lines) == 5
    assert lines[0].startswith(f"received: sid={sid} channel=sms from=…0100 to=…0006 outcome=stored message=")
    assert lines[1] == f"received: sid={sid} channel=sms from=…0100 to=…0006 outcome=known message=None"
    assert "channel=whatsapp from=…0865 to=…0006 outcome=unknown" in lines[2]
    refused = "refused: reason=an account without a token account="
    assert lines[3] == f"{refused}AC{'9' * 32} path=/twilio_webhook"
    assert lines[4] == f"{refused}- path=/twilio_webhook"


@pytest.mark.undescribed
def test_what_is_refused_for_other_reasons_has_its_line_too(
    twilio_calls: Twilio, settings: Settings, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("connection refused")

    client = twilio_calls.client
    client.get("/twilio_webhook")
    client.generic("POST", "/twilio_webhook", "{}", "application/json")
    client.generic("POST", "/twilio_webhook", "{}", f"text/x\ny{'z' * 1000}")
    twilio_calls.post(sms("x" * 70_000))
    twilio_calls.post({**sms(), **{f"Field{number}": "x" for number in range(300)}})
    twilio_calls.post(sms(From=""))
    with monkeypatch.context() as patched:
        patched.setattr("channels.services.incoming._update_sender", fail)
        twilio_calls.post(sms(), path="/twilio_webhook/")
    settings.TWILIO = None
    client.post("/twilio_webhook")

    lines = [one.partition("] ")[2] for one in logs("twilio_webhook")]
    reasons = [
        'Method "GET" not allowed',
        'Unsupported media type "application/json"',
        'Unsupported media type "text/x',
        "The request body is over 64 KiB",
        "The form has more than 300 fields",
        "MessageSid, From and To are required",
        "The database does not answer, try again soon",
    ]
    for line, reason in zip(lines, reasons, strict=True):
        assert line.startswith(f"refused: reason={reason}")
        assert line.endswith(" path=/twilio_webhook")
        assert len(line) < 150


def test_no_log_has_a_number_a_text_a_token_or_a_code(
    twilio_calls: Twilio, set_twilio: Any, ann: User, as_user: Any, logs: Any
) -> None:
    client = as_user(ann)
    text = client.post("/auth/me/phone/link", {"method": "text"}).json()["code"]
    twilio_calls.post(whatsapp(text))
    client.post("/auth/me/phone/link", {"method": "sms", "phone_number": ANN_SMS})
    code = code_of(LinkCode.objects.get())
    client.put("/auth/me/phone/link", {"code": code})
    set_twilio(unknown="contact")
    twilio_calls.post(sms("Secret plans", From="+14155550199"))
    signature = twilio_calls.sign(sms("Secret plans"), url="https://evil.test")
    twilio_calls.post(sms("Secret plans"), signature=signature)
    client.put("/auth/me/phone", {"phone_number": None})

    said = "\n".join(line for name in ("auth", "messages", "twilio_webhook") for line in logs(name))
    assert "address linked" in said
    for secret in ("14155550", OURS, "Secret", TOKEN, signature, text, text[5:], code, "Ann"):
        assert secret not in said


@pytest.mark.parametrize(
    ("address", "masked"),
    [(ANN_SMS, "…0100"), (ANN_WHATSAPP, "…0100"), ("12345", "…"), ("", "…"), ("whatsapp:US.77", "…S.77")],
)
def test_four_characters_are_left_of_a_number(address: str, masked: str) -> None:
    assert mask(address) == masked
