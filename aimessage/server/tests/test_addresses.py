"""The address that the start prints."""

from typing import Any

import pytest

from aimessage.server.addresses import start_url

EVERY = "0.0.0.0"  # noqa: S104
LOCAL = ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("bound", "hosts", "url"),
    [
        (EVERY, [], "http://localhost:8000/"),
        ("::", [], "http://localhost:8000/"),
        ("127.0.0.1", [], "http://127.0.0.1:8000/"),
        ("::1", [], "http://[::1]:8000/"),
        (EVERY, ["chat.example.org"], "http://localhost:8000/"),
        ("192.0.2.5", ["chat.example.org"], "http://chat.example.org:8000/"),
        ("192.0.2.5", [".example.org", "192.0.2.5"], "http://192.0.2.5:8000/"),
        ("2001:db8::5", ["[2001:db8::5]"], "http://[2001:db8::5]:8000/"),
        # Whoever asks there is refused.
        ("192.0.2.5", [], None),
        ("192.0.2.5", [".example.org"], None),
    ],
)
def test_it_leads_there_and_is_allowed(bound: str, hosts: list[str], url: str | None) -> None:
    assert start_url((bound, 8000), tls=False, https=False, hosts=hosts + LOCAL) == url


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"tls": True, "https": True, "port": 8443}, "https://localhost:8443/"),
        ({"tls": True, "https": True, "port": 443}, "https://localhost/"),
        ({"tls": False, "https": False, "port": 80}, "http://localhost/"),
        ({"tls": False, "https": True, "port": 8000}, "https://chat.example.org/"),
    ],
)
def test_it_speaks_what_is_served(options: dict[str, Any], url: str) -> None:
    port = options.pop("port")
    assert start_url((EVERY, port), hosts=["chat.example.org", *LOCAL], **options) == url
