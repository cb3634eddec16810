"""The client's IP address, and the network that throttles and lockouts count it under."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

#: A household or server is assigned a /64, and can change the other 64 bits at will.
IPV6_PREFIX = 64
#: Logins from one such network count as one place: providers hand out another address every day.
PLACE_PREFIXES = {4: 24, 6: 48}
#: `203.0.113.9:51234`, `[2001:db8::1]:443`, `[2001:db8::1]`, each maybe in quotes (RFC 7239, section 6).
_WITH_PORT = re.compile(r'"?(?:\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[0-9.]+):\d+)"?')
#: Longer than any address with its port; longer texts are not parsed.
_LONGEST = 80

Address = IPv4Address | IPv6Address


def parse_address(text: str) -> Address | None:
    """None if `text` is not an address. An IPv4 address mapped into IPv6 becomes IPv4."""
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    try:
        address = ip_address(text.partition("%")[0])  # without the zone of a link-local one
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def read_address(text: str) -> str | None:
    address = parse_address(text)
    return None if address is None else str(address)


def client_address(request: HttpRequest) -> str | None:
    """The client's IP address; None on a unix socket.

    Each of the AI_MESSAGE_TRUSTED_PROXIES proxies appends to X-Forwarded-For the address that called it. So
    the client's is that many entries from the right; whatever stands further left, the client made up.
    """
    proxies: int = settings.TRUSTED_PROXIES
    if proxies:
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        hop = hops[-min(proxies, len(hops))].strip()
        if hop:
            return read_address(_without_port(hop))
    return read_address(request.META.get("REMOTE_ADDR", ""))


def _without_port(hop: str) -> str:
    if len(hop) > _LONGEST:
        return ""
    match = _WITH_PORT.fullmatch(hop)
    return hop if match is None else match["v6"] or match["v4"] or ""


def client_network(address: str | None) -> str:
    """What throttles and lockouts count by: an IPv4 address or an IPv6 /64; "" without an address."""
    parsed = parse_address(address or "")
    if parsed is None:
        return ""
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)


def client_place(address: str | None) -> str:
    parsed = parse_address(address or "")
    if parsed is None:
        return ""
    return str(ip_network((parsed, PLACE_PREFIXES[parsed.version]), strict=False))
