"""Parses AI_MESSAGE_MAIL_URL and the other variables of mail and links."""

import importlib.util
import ipaddress
import json
from email.utils import formataddr, parseaddr
from pathlib import Path
from typing import Required, TypedDict
from urllib.parse import unquote, urlsplit

#: Seconds to wait for a mail server's answer.
TIMEOUT = 20
PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
#: Schemes that send mail to other machines.
LEAVING = {"smtp", "smtps", "anymail"}
_BACKENDS = "django.core.mail.backends"


class ServerSettings(TypedDict, total=False):
    EMAIL_BACKEND: str
    EMAIL_HOST: str
    EMAIL_PORT: int
    EMAIL_HOST_USER: str
    EMAIL_HOST_PASSWORD: str
    EMAIL_USE_TLS: bool
    EMAIL_USE_SSL: bool
    EMAIL_TIMEOUT: int


class MailSettings(ServerSettings, total=False):
    MAIL_ON: Required[bool]
    #: Whether mail is sent to other machines.
    MAIL_LEAVES: Required[bool]
    EMAIL_FILE_PATH: Path


def parse_mail_url(url: str, *, base: Path) -> MailSettings:
    """Django's settings for this URL; a relative folder is below `base`.

    Raises ValueError with a message that continues a sentence after the variable's name.
    """
    scheme, _, rest = url.partition(":")
    scheme = scheme.lower()
    found: MailSettings = {"MAIL_ON": scheme != "off", "MAIL_LEAVES": scheme in LEAVING}
    match scheme:
        case "off" if not rest:
            return {**found, "EMAIL_BACKEND": f"{_BACKENDS}.dummy.EmailBackend"}
        case "console" if not rest:
            return {**found, "EMAIL_BACKEND": f"{_BACKENDS}.console.EmailBackend"}
        case "file" if rest:
            folder = base / rest.removeprefix("//")
            return {
                **found,
                "EMAIL_BACKEND": "aimessage.mail.backends.FileBackend",
                "EMAIL_FILE_PATH": folder,
            }
        case "anymail" if rest.isidentifier():
            if importlib.util.find_spec("anymail") is None:
                raise ValueError("needs the package django-anymail")
            if importlib.util.find_spec(f"anymail.backends.{rest}") is None:
                raise ValueError(f"names {rest!r}, which django-anymail does not know")
            return {**found, "EMAIL_BACKEND": f"anymail.backends.{rest}.EmailBackend"}
        case "smtp" | "smtps" | "smtp+plain" if rest.startswith("//"):
            return {**found, **_smtp(scheme, url)}
    raise ValueError(
        "must be off, console:, file:<folder>, anymail:<provider>, or a server as"
        " smtp://user:password@host:587, smtps://… or smtp+plain://localhost"
    )


def _smtp(scheme: str, url: str) -> ServerSettings:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("has a host or port that is none") from None
    # A raw # or / in the password (instead of %23 or %2F) makes the rest of it a fragment or a path.
    if not host or port == 0 or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("must name a server as smtp://user:password@host:587, its password percent-encoded")
    if scheme == "smtp+plain" and not _is_loopback(host):
        raise ValueError("sends without encryption, which is for a server on this machine alone: use smtp://")
    return {
        "EMAIL_BACKEND": f"{_BACKENDS}.smtp.EmailBackend",
        "EMAIL_HOST": host,
        "EMAIL_PORT": port or PORTS[scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": scheme == "smtp",
        "EMAIL_USE_SSL": scheme == "smtps",
        "EMAIL_TIMEOUT": TIMEOUT,
    }


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_sender(raw: str, *, name: str, leaves: bool) -> str:
    """A From header; `name` is used if `raw` has none.

    Raises ValueError for a bad address, or for an example or local domain if mail leaves the machine.
    """
    given, address = parseaddr(raw)
    local, _, domain = address.rpartition("@")
    if not local or not domain or not address.isascii() or any(c.isspace() for c in address):
        raise ValueError("must be an address as noreply@chat.example.org, or Name <noreply@…>")
    labels = domain.lower().split(".")
    if leaves and (labels[-1] in {"localhost", "example"} or labels[-2:-1] == ["example"]):
        raise ValueError(f"must be set to an address of yours: mail from {domain} is not delivered")
    return formataddr((given or name, address))


def parse_link(raw: str) -> str:
    if "{token}" not in raw or any(c.isspace() for c in raw) or ":" not in raw:
        raise ValueError("must be a link with {token} in it, as https://app.example.org/reset#{token}")
    if raw.lower().startswith(("javascript:", "data:", "vbscript:")):
        raise ValueError("must be a link that mail programs open")
    return raw


def parse_public_urls(raw: str) -> list[str]:
    urls = [part.strip().rstrip("/") for part in raw.split(",") if part.strip()]
    if not urls or not all(map(_is_public_url, urls)):
        raise ValueError("must be written as https://chat.example.org; it may list several")
    return urls


def _is_public_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        return False
    has_more = parts.query or parts.fragment or "@" in parts.netloc
    return is_whole and not has_more and not any(c.isspace() for c in url)


def parse_object(raw: str) -> dict[str, object]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("must be a JSON object")
    return found
