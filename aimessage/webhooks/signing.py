"""Secrets and signatures of webhooks, as Standard Webhooks 1.0 defines them.

A secret is derived from a key in the settings and a salt in the row, so a stolen database cannot sign. The
first key derives the secret that is shown; all keys sign, so that the keys can be rotated.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from aimessage.webhooks.models import Delivery, Endpoint

#: How long the previous secret keeps signing after a rotation.
OVERLAP = timedelta(hours=24)
_PURPOSE = b"aimessage.webhooks.secret:"


def new_salt() -> str:
    return secrets.token_hex(16)


def shown_secret(endpoint: Endpoint) -> str:
    return _secret(settings.WEBHOOK_KEYS[0], endpoint.secret_salt)


def _secret(key: str, salt: str) -> str:
    digest = hmac.digest(key.encode(), _PURPOSE + salt.encode(), hashlib.sha256)
    return f"whsec_{base64.b64encode(digest).decode()}"


def signed_headers(endpoint: Endpoint, delivery: Delivery, body: str, now: datetime) -> dict[str, str]:
    salts = [endpoint.secret_salt]
    if endpoint.previous_secret_until and timezone.now() < endpoint.previous_secret_until:
        salts.append(endpoint.previous_secret_salt)
    signatures = [
        Webhook(_secret(key, salt)).sign(delivery.webhook_id, now, body)
        for salt in salts
        for key in settings.WEBHOOK_KEYS
    ]
    return {
        "webhook-id": delivery.webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
