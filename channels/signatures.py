"""Verifies Twilio's signature over the address that it calls and every field that it sends.

https://www.twilio.com/docs/usage/security#validating-requests, and for shared keys
https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys. Equivalent to twilio.request_validator 9.13,
which a test compares it with, but works on bytes: the library raises for fields that are not UTF-8.
"""

import base64
import hmac
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from channels.settings import Twilio

#: docs/channels.md recommends this fragment, which makes Twilio retry. Twilio does not document whether it
#: signs the fragment, so both forms are accepted.
FRAGMENT = "#rc=5&rp=all"
HASHES = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_PORTS = {"https": 443, "http": 80}

Fields = Mapping[str, Sequence[str]]


class NotGenuine(Exception):
    """The message is for the log only; the caller must not learn which check failed."""


def check_signature(
    twilio: Twilio,
    *,
    bases: Sequence[str],
    path: str,
    query: str,
    fields: Fields,
    signature: str | None,
    settings_header: str | None,
) -> None:
    """Raises NotGenuine unless Twilio sent `fields` to `path` below one of `bases`.

    All strings were decoded with surrogateescape. Only the keys are checked, not our numbers and pools.
    """
    if not signature:
        raise NotGenuine("no signature")
    # For bodies that are not forms, Twilio signs this hash in place of the fields.
    if "bodySHA256" in dict(parse_qsl(query, keep_blank_values=True, max_num_fields=None)):
        raise NotGenuine("bodySHA256 on a form")
    if settings_header is not None:
        keys, algorithm = _shared_key(twilio, settings_header)
    else:
        keys, algorithm = _tokens(twilio, fields.get("AccountSid", ())), "HMAC_SHA1"
    target = f"{path}?{query}" if query else path
    given = signature.encode("utf-8", "surrogateescape")
    written = _write(fields)
    for base in bases:
        for url in _addresses(base, target):
            for key in keys:
                if hmac.compare_digest(_sign(key, url, written, HASHES[algorithm]), given):
                    return
    raise NotGenuine("signature")


def _tokens(twilio: Twilio, accounts: Sequence[str]) -> Sequence[str]:
    if len(set(accounts)) != 1:
        raise NotGenuine("no account, or several")
    tokens = twilio.tokens.get(accounts[0])
    if not tokens:
        raise NotGenuine("an account without a token")
    return tokens


def _shared_key(twilio: Twilio, header: str) -> tuple[Sequence[str], str]:
    parts = [part.partition("=") for part in header.split(",")]
    named = {name.strip().lower(): value.strip() for name, _, value in parts}
    algorithm = named.get("algorithm", "HMAC_SHA1").upper()
    key = twilio.shared_keys.get(named.get("key", ""))
    if key is None or algorithm not in HASHES or len(named) != len(parts):
        raise NotGenuine("a shared key or an algorithm that is unknown")
    return [key], algorithm


def _addresses(base: str, target: str) -> Iterator[str]:
    # Twilio may sign an address with or without its default port.
    for one in _with_and_without_port(base):
        yield one + target
        yield one + target + FRAGMENT


def _with_and_without_port(base: str) -> list[str]:
    parts = urlsplit(base)
    host = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    port = parts.port or _PORTS[parts.scheme]
    return [parts._replace(netloc=netloc).geturl() for netloc in (host, f"{host}:{port}")]


def _write(fields: Fields) -> bytes:
    # Sorted by name; a value that is repeated under one name counts once.
    written = [name + value for name in sorted(fields) for value in sorted(set(fields[name]))]
    return "".join(written).encode("utf-8", "surrogateescape")


def _sign(key: str, url: str, written: bytes, algorithm: str) -> bytes:
    signed = url.encode("utf-8", "surrogateescape") + written
    return base64.b64encode(hmac.digest(key.encode(), signed, algorithm))


def sign_form(twilio: Twilio, url: str, fields: Mapping[str, str]) -> dict[str, str]:
    written = _write({name: [value] for name, value in fields.items()})
    if tokens := twilio.tokens.get(fields.get("AccountSid", "")):
        return {"X-Twilio-Signature": _sign(tokens[0], url, written, "sha1").decode()}
    name, key = next(iter(twilio.shared_keys.items()))
    return {
        "X-Twilio-Signature": _sign(key, url, written, "sha256").decode(),
        "X-Twilio-Webhooks-Signature-Settings": f"key={name},algorithm=HMAC_SHA256",
    }
