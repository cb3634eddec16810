"""Who is calling: the client's address, as far as it can be believed."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

#: What one household or server is assigned; it can change the other 64 bits at will.
IPV6_PREFIX = 64
#: What counts as one place to log in from: a provider may hand out another address every day.
PLACE_PREFIXES = {4: 24, 6: 48}
#: `203.0.113.9:51234`, `[2001:db8::1]:443`, `[2001:db8::1]`, each maybe in quotes (RFC 7239, section 6).
_WITH_PORT = re.compile(r'"?(?:\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[0-9.]+):\d+)"?')
#: Longer than any address with its port; nothing longer is looked at.
_LONGEST = 80

Address = IPv4Address | IPv6Address


def parse_address(text: str) -> Address | None:
    """`text` as an address, None where it is none. An IPv4 address that is mapped into IPv6 is that one."""
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    try:
        address = ip_address(text.partition("%")[0])  # without the zone of a link-local one
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def read_address(text: str) -> str | None:
    """`text` as an IP address in its one form, None where it is none."""
    address = parse_address(text)
    return None if address is None else str(address)


def client_address(request: HttpRequest) -> str | None:
    """The client's IP address, or None where there is none (a unix socket).

    X-Forwarded-For is believed only as far as AI_MESSAGE_TRUSTED_PROXIES goes: each of that many
    proxies appended the address it was called from, so the client's is that many from the right.
    What stands further left is the client's own claim.
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
    """What throttles and lockouts count by: an IPv4 address, an IPv6 /64, "" without an address."""
    parsed = parse_address(address or "")
    if parsed is None:
        return ""
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)


def client_place(address: str | None) -> str:
    """An IPv4 /24, an IPv6 /48, "" without an address."""
    parsed = parse_address(address or "")
    if parsed is None:
        return ""
    return str(ip_network((parsed, PLACE_PREFIXES[parsed.version]), strict=False))
