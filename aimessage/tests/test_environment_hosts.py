"""Hosts, origins and addresses, as the environment names them."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from aimessage.environment import read_hosts, read_listen_host
from aimessage.hosts import parse_host, parse_origin

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("chat.example.org", "chat.example.org"),
        ("Chat.Example.ORG", "chat.example.org"),
        (".example.org", ".example.org"),
        ("localhost", "localhost"),
        ("chat-1.internal", "chat-1.internal"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("::1", "[::1]"),
    ],
)
def test_a_host_is_kept_as_the_header_has_it(entry: str, host: str) -> None:
    assert parse_host(entry) == host
    assert validate_host(host.lstrip("."), [parse_host(entry)])


@pytest.mark.parametrize(
    ("entry", "advice"),
    [
        ("https://chat.example.org", "write chat.example.org "),
        ("https://chat.example.org/", "write chat.example.org "),
        ("http://chat.example.org:8443/path?x", "write chat.example.org "),
        ("//chat.example.org", "write chat.example.org "),
        ("chat.example.org:8443", "write chat.example.org "),
        ("chat.example.org/chat", "write chat.example.org "),
        ("ann@chat.example.org", "write chat.example.org "),
        ("192.0.2.1:8000", "write 192.0.2.1 "),
        ("[2001:db8::1]:8000", r"write \[2001:db8::1\] "),
        ("*.example.org", r"write \.example\.org for all"),
        ("*", "List the hosts"),
        ("chat.*.org", "List the hosts"),
        ("chat.example.org # ours", "comment"),
        ("chat.example.org other.example.org", "commas"),
        ("chat.example.org;other.example.org", "commas"),
        ("münchen.example", "written as xn--mnchen-3ya.example"),
        ("chat.example.org.", "neither"),
        ("chat..example.org", "neither"),
        ("..example.org", "neither"),
        (".", "neither"),
        ("-chat.example.org", "neither"),
        ("my_host", "neither"),
        ("192.0.2.256", "neither"),
        ("192.0.2", "neither"),
        ("x" * 64 + ".example", "neither"),
        ("fe80::1%eth0", "zone"),
        ("2001:db8::zz", "no host name"),
        ("[192.0.2.1]", "no host name"),
        ("'chat.example.org'", "neither"),
    ],
)
def test_what_no_host_header_can_match_is_refused_with_what_to_write(
    entry: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_MESSAGE_DOMAIN", f"good.example.org, {entry}")

    with pytest.raises(ImproperlyConfigured, match=f"^AI_MESSAGE_DOMAIN: .*{advice}") as told:
        read_hosts("AI_MESSAGE_DOMAIN")
    assert entry in str(told.value)


@pytest.mark.parametrize(
    "origin", ["https://app.example.org", "http://localhost:3000", "http://[::1]:8080", "http://192.0.2.1"]
)
def test_an_origin_is_kept(origin: str) -> None:
    assert parse_origin(origin) == origin


@pytest.mark.parametrize(
    ("origin", "advice"),
    [
        ("*", "every page"),
        ("null", "no origin"),
        ("app.example.org", "no origin"),
        ("ftp://app.example.org", "no origin"),
        ("https://", "no origin"),
        ("https://*.example.org", "no origin"),
        ("https://.example.org", "no origin"),
        ("https://app.example.org:port", "no origin"),
        ("https://app.example.org/", "Write https://app.example.org$"),
        ("https://app.example.org/app", "Write https://app.example.org$"),
        ("https://App.example.org", "Write https://app.example.org$"),
        ("HTTPS://app.example.org", "Write https://app.example.org$"),
        ("https://app.example.org:443", "Write https://app.example.org$"),
        ("https://ann@app.example.org:8443", "Write https://app.example.org:8443$"),
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origin: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        parse_origin(origin)


@pytest.mark.parametrize(
    ("given", "host"),
    [("::1", "::1"), ("[::1]", "::1"), ("::", "::"), ("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")],
)
def test_the_server_listens_with_or_without_brackets(
    monkeypatch: pytest.MonkeyPatch, given: str, host: str
) -> None:
    monkeypatch.setenv("AI_MESSAGE_HOST", given)

    assert read_listen_host("AI_MESSAGE_HOST", "localhost") == host
