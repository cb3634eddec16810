"""The address that the start prints."""

from collections.abc import Sequence

#: Every interface; nobody can open such an address.
EVERYWHERE = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104


def start_url(address: tuple[str, int], *, tls: bool, https: bool, hosts: Sequence[str]) -> str | None:
    """A URL that leads to `address`, a bound (host, port), and has one of the allowed `hosts`; None without one.

    Where https is on without a certificate, a proxy speaks it, and plain http would only be redirected.
    """
    named = [
        host for host in hosts if not host.startswith(".") and host not in ("localhost", "127.0.0.1", "[::1]")
    ]
    if https and not tls:
        return f"https://{named[0]}/" if named else None
    bound, port = address
    host = EVERYWHERE.get(bound, f"[{bound}]" if ":" in bound else bound)
    if host not in hosts:
        if not named:
            return None
        host = named[0]
    scheme = "https" if tls else "http"
    shown = "" if port == (443 if tls else 80) else f":{port}"
    return f"{scheme}://{host}{shown}/"
