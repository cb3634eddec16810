"""Twilio as it calls us: forms that it signs by its own library."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlencode

from django.test import Client
from twilio.request_validator import RequestValidator

from channels.models import Address
from channels.requests import FORM
from channels.services.addresses import link_address
from channels.tests.credentials import ACCOUNT

PUBLIC = "https://chat.example.test/api"
ANN_SMS, ANN_WHATSAPP = "+14155550100", "whatsapp:+14155550100"
OURS, OURS_WHATSAPP = "+15005550006", "whatsapp:+15005550006"
_numbers = count(1)


def new_sid() -> str:
    return f"SM{next(_numbers):032x}"


def sms(body: str = "Hello", **fields: Any) -> dict[str, Any]:
    """What Twilio sends for an SMS from ann."""
    return {
        "ToCountry": "US",
        "SmsMessageSid": "SM1",
        "NumMedia": "0",
        "FromZip": "",
        "SmsStatus": "received",
        "MessageSid": new_sid(),
        "AccountSid": ACCOUNT,
        "From": ANN_SMS,
        "To": OURS,
        "Body": body,
        "ApiVersion": "2010-04-01",
        **fields,
    }


def whatsapp(body: str = "Hello", **fields: Any) -> dict[str, Any]:
    return sms(body, **{"From": ANN_WHATSAPP, "To": OURS_WHATSAPP, "ProfileName": "Ann", **fields})


@dataclass
class Twilio:
    """`post(sms("Hi"))` is signed as `token` says, for `url`."""

    token: str
    client: Client

    def sign(self, fields: Mapping[str, Any], *, url: str, token: str | None = None, **options: Any) -> str:
        return RequestValidator(token or self.token).compute_signature(url, fields, **options)

    def post(
        self,
        fields: Mapping[str, Any],
        *,
        path: str = "/twilio_webhook",
        url: str | None = None,
        token: str | None = None,
        signature: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        signature = signature or self.sign(fields, url=url or PUBLIC + path, token=token)
        given = {"X-Twilio-Signature": signature, **(headers or {})}
        return self.client.generic("POST", path, urlencode(fields, doseq=True), FORM, headers=given)


def link(user: Any, *values: str) -> list[Address]:
    proof = Address.Proof.TEXT
    return [link_address(value, user=user, proof=proof) for value in values]
