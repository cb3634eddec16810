"""The URL that the server prints when it starts."""

from collections.abc import Sequence

#: A server can listen on these, but a browser cannot open them.
EVERYWHERE = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104
#: Allowed whatever the settings say.
LOCAL = {"localhost", "127.0.0.1", "[::1]"}


def start_url(address: tuple[str, int], *, tls: bool, https: bool, hosts: Sequence[str]) -> str | None:
    """A URL for `address`, a bound (host, port), that names one of the allowed `hosts`; None without one.

    `https` without `tls` means that a proxy terminates TLS, so the URL leads to the proxy.
    """
    named = [host for host in hosts if not host.startswith(".") and host not in LOCAL]
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
