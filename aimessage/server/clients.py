"""Who is calling: the client's address, as far as it can be believed."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The client's IP address, or None where there is none (a unix socket).

    X-Forwarded-For is believed only as far as AI_MESSAGE_TRUSTED_PROXIES goes: each of that many
    proxies appended the address it was called from, so the client's is that many from the right.
    What stands further left is the client's own claim.
    """
    address = request.META.get("REMOTE_ADDR", "")
    proxies: int = settings.TRUSTED_PROXIES
    if proxies:
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        address = hops[-min(proxies, len(hops))].strip() or address
    try:
        return str(ip_address(address.partition("%")[0]))  # without the zone of a link-local one
    except ValueError:
        return None


def read_address(text: str) -> str | None:
    """`text` as an IP address in its one form, None where it is none."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return None
