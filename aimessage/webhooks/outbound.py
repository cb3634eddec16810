"""Calls URLs that people typed in, protected against server-side request forgery (SSRF).

A name is resolved once, its addresses are checked, and the connection goes to a checked address, so DNS
cannot change in between. TLS still verifies the name.
"""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from aimessage.webhooks.models import ANSWER_BYTES, URL_LENGTH

#: Limits in seconds for connecting, and for the whole call.
CONNECT_SECONDS, CALL_SECONDS = 3.0, 15.0
TOO_LONG = "No answer within {:.0f} s"
#: How many addresses of a name are tried.
ADDRESSES = 3
#: Translated, relayed and deprecated ranges; some versions of Python count them as global.
_NEVER = [
    ip_network(text)
    for text in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
]

Address = IPv4Address | IPv6Address


class NotAllowed(Exception):
    """The URL or its address may not be called; the message says why."""


class TookTooLong(Exception):
    pass


@dataclass(frozen=True)
class Answer:
    status: int
    retry_after: str | None
    #: Its first ANSWER_BYTES.
    text: str


def check_url(url: str) -> None:
    """Raises NotAllowed for a URL that may never be called. It checks all but the addresses of a name."""
    if len(url) > URL_LENGTH or any(not 32 < ord(letter) < 127 for letter in url):
        raise NotAllowed(f"A URL of at most {URL_LENGTH} ASCII characters, without blanks")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotAllowed("This is no URL") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise NotAllowed("A URL as https://example.com/hook")
    if parts.username is not None or parts.password is not None or parts.fragment or "\\" in url:
        raise NotAllowed("Without a user name, a password, a fragment, or a backslash")
    if parts.scheme == "http" and not settings.DEBUG and not settings.WEBHOOK_ALLOW:
        raise NotAllowed("It must begin with https://")
    try:
        numeric = _resolve(parts.hostname, port or 443, flags=socket.AI_NUMERICHOST)
    except UnicodeError as error:
        raise NotAllowed("This is no name of a host") from error
    except OSError:
        return
    _filter_allowed(parts.hostname, numeric, parts.scheme)


def call(url: str, body: str, headers: dict[str, str]) -> Answer:
    """POSTs JSON. Raises NotAllowed, TookTooLong, OSError or an error of urllib3."""
    check_url(url)
    pools = urllib3.PoolManager(num_pools=1, retries=False)
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    sent = {"Content-Type": "application/json", "User-Agent": "AI-Messaging-Webhooks/1.0", **headers}
    deadline = _Deadline()
    _current.deadline = deadline
    try:
        response = pools.request(
            "POST",
            url,
            body=body.encode(),
            headers=sent,
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=CALL_SECONDS),
            preload_content=False,
            decode_content=False,
        )
        if deadline.expired:  # while the headers were read
            raise TookTooLong(TOO_LONG.format(CALL_SECONDS))
        return Answer(response.status, response.headers.get("Retry-After"), _read_beginning(response))
    except Exception as error:
        # The socket's read timeout is as long as the deadline, so either may come first.
        if deadline.expired or isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise TookTooLong(TOO_LONG.format(CALL_SECONDS)) from error
        raise
    finally:
        deadline.cancel()
        _current.deadline = None
        pools.clear()


def _read_beginning(response: urllib3.BaseHTTPResponse) -> str:
    raw = b""
    # The status counts even if the body breaks off.
    with suppress(urllib3.exceptions.HTTPError, OSError):
        while len(raw) < ANSWER_BYTES and (more := response.read(ANSWER_BYTES - len(raw))):
            raw += more
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


# --- Addresses ------------------------------------------------------------------------------------


def is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NEVER)
    )


def _is_listed(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return any(address in network for network in settings.WEBHOOK_ALLOW)


def _filter_allowed(host: str, addresses: list[Address], scheme: str) -> list[Address]:
    allowed = [address for address in addresses if is_public(address) or _is_listed(address)]
    if not allowed:
        raise NotAllowed(f"{host} is not a public address")
    if scheme == "http" and not settings.DEBUG:
        allowed = [address for address in allowed if _is_listed(address)]
        if not allowed:
            raise NotAllowed("It must begin with https://")
    return allowed


def _resolve(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


# --- Connections ----------------------------------------------------------------------------------


class _Deadline:
    """Shuts the socket down when the time is up, so that a blocked read ends.

    A timeout of the socket is not enough: a peer that sends a byte now and then would never hit it.
    """

    def __init__(self) -> None:
        self.ends_at = time.monotonic() + CALL_SECONDS
        self.expired = False
        self.sock: socket.socket | None = None
        self.timer = threading.Timer(CALL_SECONDS, self._expire)
        self.timer.daemon = True
        self.timer.start()

    def seconds_left(self) -> float:
        return max(0.01, self.ends_at - time.monotonic())

    def _expire(self) -> None:
        self.expired = True
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        self.timer.cancel()
        if self.sock is not None:
            self.sock.close()


#: The deadline of this thread's call; urllib3 gives _connect no argument for it.
_current = threading.local()


def _connect(host: str, port: int, scheme: str) -> socket.socket:
    deadline: _Deadline = _current.deadline
    addresses = _filter_allowed(host, _resolve(host, port), scheme)[:ADDRESSES]
    for number, address in enumerate(addresses, 1):
        try:
            timeout = min(CONNECT_SECONDS, deadline.seconds_left())
            sock = socket.create_connection((str(address), port), timeout)
        except OSError:
            if number == len(addresses):
                raise
            continue
        # A duplicate, because TLS wraps and detaches urllib3's socket; shutting down either shuts down both.
        deadline.sock = sock.dup()
        if deadline.expired:
            raise TookTooLong
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise NotAllowed(f"{host} has no address")


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self._dns_host, self.port, "http")


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self._dns_host, self.port, "https")


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
