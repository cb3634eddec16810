"""Checks the server as clients see it: by its URL, through the proxies in front."""

import json
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from secrets import token_hex
from urllib.parse import urlsplit

from django.conf import settings

from accounts.guesses import digest_of
from accounts.models import FailedLogin
from operations.maintenance.doctor.findings import Finding, error, ok, skipped, warning
from operations.maintenance.doctor.machine import check_certificate

TIMEOUT = 10
#: Reserved for documentation (RFC 5737), so it is nobody's address.
FORGED = "203.0.113.77"
FAILURES = (OSError, HTTPException)


@dataclass(frozen=True)
class Answer:
    status: int
    location: str
    body: bytes


def _ask(url: str, path: str, *, send: dict[str, str] | None = None, forwarded: str | None = None) -> Answer:
    # Unlike urllib, http.client follows no redirect.
    parts = urlsplit(url)
    made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = made(parts.hostname or "", parts.port, timeout=TIMEOUT)
    headers = {"Accept": "application/json", "User-Agent": "aimessage-doctor"}
    if send is not None:
        headers["Content-Type"] = "application/json"
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded
    try:
        body = json.dumps(send).encode() if send is not None else None
        connection.request("POST" if send is not None else "GET", path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers.get("Location", ""), response.read(100_000))
    finally:
        connection.close()


def answers(url: str) -> Finding:
    try:
        health, root = _ask(url, "/health"), _ask(url, "/")
    except FAILURES as failure:
        return error(
            f"{url} does not answer: {_reason(failure)}",
            "See whether the server and its proxy run, and what their logs say.",
        )
    if health.status == 400:
        return error(
            f"{url} answers 400 to its own name.",
            f"Add {urlsplit(url).hostname} to AI_MESSAGE_DOMAIN, and let the proxy pass Host on.",
        )
    if health.status != 200 or b'"healthy"' not in health.body:
        return error(
            f"{url}/health answers {health.status}, not as this application does.",
            "502 or 504: gunicorn does not run, or the proxy looks for it elsewhere.",
        )
    if root.location.startswith("https:") and url.startswith("https:"):
        return error(
            "Requests over https are redirected to https, for ever.",
            "Let the proxy set X-Forwarded-Proto, and AI_MESSAGE_TRUSTED_PROXIES be the number of proxies.",
        )
    if url.startswith("http:") and settings.HTTPS and not root.location.startswith("https:"):
        return warning("http is answered, and not redirected to https.", "Redirect it in the proxy.")
    return ok(f"{url} answers")


def certificate(url: str) -> Finding:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return skipped("only for https")
    context = ssl.create_default_context()
    name = parts.hostname or ""
    try:
        with (
            socket.create_connection((name, parts.port or 443), timeout=TIMEOUT) as line,
            context.wrap_socket(line, server_hostname=name) as secured,
        ):
            return check_certificate(dict(secured.getpeercert() or {}), [], alone=False)
    except ssl.SSLCertVerificationError as failure:
        return error(
            f"Clients refuse the certificate: {failure.verify_message}.",
            "Serve one for this name, with the whole chain, from an issuer that clients know.",
        )
    except FAILURES as failure:
        return error(f"No TLS at {url}: {_reason(failure)}", "See whether the proxy serves TLS on that port.")


def forged_address(url: str) -> Finding:
    # A failed login with a forged X-Forwarded-For leaves a row with an address. The row is deleted.
    if not settings.LOCKOUT_FAILURES:
        return skipped("failed logins are not stored without a lockout")
    name = f"doctor-{token_hex(8)}"
    try:
        answer = _ask(url, "/auth/login", send={"username": name, "password": name}, forwarded=FORGED)
    except FAILURES as failure:
        return error(f"{url} does not answer: {_reason(failure)}", "See above.")
    rows = FailedLogin.objects.filter(name_digest=digest_of(name))
    seen = rows.values_list("ip_address", flat=True).first()
    stored = rows.delete()[0]
    if answer.status != 401 or not stored:
        return warning(
            f"Nothing to tell by: a login at {url} was answered with {answer.status}"
            f"{', and not counted in this database' if answer.status == 401 else ''}.",
            "Run this where the server runs, with its settings, and in a minute again after a 429.",
        )
    if seen == FORGED:
        return error(
            "A forged X-Forwarded-For is believed: anyone gets around throttles and lockouts.",
            "Lower AI_MESSAGE_TRUSTED_PROXIES to the number of proxies in front (0 if there is none); each"
            " must append to the header.",
        )
    if not seen:
        return warning(
            "No address of clients arrives: all share one throttle.",
            "Set AI_MESSAGE_TRUSTED_PROXIES to the number of proxies in front.",
        )
    if _is_loopback(seen) and not _is_local(url):
        return warning(
            f"Clients are taken for {seen}, which is the proxy's own: all share its throttles and lockouts.",
            "Set AI_MESSAGE_TRUSTED_PROXIES to the number of proxies in front, and let them append to"
            " X-Forwarded-For.",
        )
    return ok(f"a forged X-Forwarded-For changes nothing; the client is {seen}")


def _is_local(url: str) -> bool:
    try:
        found = socket.getaddrinfo(urlsplit(url).hostname or "", None)
    except OSError:
        return False
    return all(_is_loopback(str(entry[4][0])) for entry in found)


def _is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback


def _reason(failure: Exception) -> str:
    return getattr(failure, "strerror", None) or str(failure) or type(failure).__name__
