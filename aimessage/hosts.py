"""Checks host names, addresses and origins for the form that they have in headers."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def parse_host(raw: str) -> str:
    """In lower case, IPv6 in brackets, as Django compares hosts. Raises ValueError with advice."""
    host = raw.lower()
    if re.search(r"[#\s;]", host):
        raise ValueError(
            "has a blank, a ; or a comment in it. Write the hosts alone, with commas between them"
        )
    if "*" in host:
        hint = f": write {host[1:]} for all below it" if re.fullmatch(r"\*(\.[a-z0-9-]+)+", host) else ""
        raise ValueError(f"has a * in it{hint}" if hint else "has a * in it. List the hosts")
    address = _as_address(host)
    if address:
        return address
    if any(sign in host for sign in ":/@?[]"):
        raise ValueError(f"is no host name{_without_rest(host)}")
    labels = host.removeprefix(".").split(".")
    if not host.isascii():
        try:
            ascii_host = host.encode("idna").decode()
        except UnicodeError:
            raise ValueError("is no host name") from None
        raise ValueError(f"must be written as {ascii_host}")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253 or labels[-1].isdigit():
        raise ValueError("is neither a host name nor an address")
    return host


def _as_address(host: str) -> str:
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ip_address(inner)
    except ValueError:
        return ""
    if "%" in inner:
        raise ValueError("has a zone (%) in it, which no Host header has")
    if address.version == 6:
        return f"[{address}]"
    return "" if inner != host else str(address)


def _without_rest(host: str) -> str:
    # Advice for a host with a scheme, a port or a path.
    try:
        bare = urlsplit(host if "//" in host else f"//{host}").hostname or ""
        return f": write {parse_host(bare)} without scheme, port and path" if bare != host else ""
    except ValueError:
        return ""


def parse_origin(raw: str) -> str:
    """Returns `raw` if browsers send the origin in this form. Raises ValueError with advice."""
    example = "Write it as https://app.example.org, without a path or a slash at its end"
    if raw == "*":
        raise ValueError("would let every page in. List the origins")
    try:
        parts = urlsplit(raw)
        port = parts.port
        host = parse_host(parts.hostname or "") if parts.scheme in {"http", "https"} else ""
    except ValueError:
        host = ""
    if not host or host.startswith(".") or port == 0:
        raise ValueError(f"is no origin. {example}")
    default = {"http": 80, "https": 443}[parts.scheme]
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")
    if raw != origin:
        raise ValueError(f"is never what a browser sends. Write {origin}")
    return raw
