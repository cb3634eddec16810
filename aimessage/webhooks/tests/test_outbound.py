"""Addresses inside of the network are refused before anybody connects."""

import socket
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from aimessage.api.problems import Invalid
from aimessage.jobs.running import run_due
from aimessage.webhooks.jobs import dispatch
from aimessage.webhooks.models import Attempt, Delivery, Endpoint
from aimessage.webhooks.outbound import NotAllowed, call, check_url, is_public
from aimessage.webhooks.services import register_endpoint, send_test
from aimessage.webhooks.tests.receiver import Receiver

LITERAL = [
    "127.0.0.1",
    "127.255.255.254",
    "127.1",
    "2130706433",
    "0x7f.1",
    "017700000001",
    "0.0.0.0",  # noqa: S104  refused
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[2002:808:808::]",
    "[fc00::1]",
    "[fd00::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
]
#: Next to what is refused.
PUBLIC = [
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2003::1",
    "2606:2800:21f::1",
]


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where somebody tried to connect to."""
    tried: list[Any] = []

    def connect(address: Any, *args: Any, **kwargs: Any) -> socket.socket:
        tried.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "create_connection", connect)
    return tried


def resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """hooks.example.com resolves to the next of `answers`; returns the names that were asked for."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, flags: int = 0, **kwargs: Any) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror("not a number")
        if host != "hooks.example.com":  # Threads that other tests left may ask meanwhile.
            return really(host, port, *args, flags=flags, **kwargs)
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (
                socket.AF_INET6 if ":" in text else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (text, port),
            )
            for text in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize("host", LITERAL)
def test_a_literal_address_that_is_not_public_is_refused(host: str, connected: list[Any]) -> None:
    for url in (f"https://{host}/hook", f"https://{host}:8443/"):
        with pytest.raises(NotAllowed):
            check_url(url)
        with pytest.raises(NotAllowed):
            call(url, "{}", {})
    assert connected == []


@pytest.mark.django_db
@pytest.mark.parametrize("host", LITERAL)
def test_an_endpoint_at_such_an_address_is_not_registered(host: str) -> None:
    with pytest.raises(Invalid):
        register_endpoint(Endpoint(url=f"https://{host}/hook"))
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST"])
def test_localhost_is_refused(name: str, connected: list[Any]) -> None:
    with pytest.raises(NotAllowed):
        call(f"https://{name}/hook", "{}", {})
    assert connected == []


@pytest.mark.parametrize("host", PUBLIC)
def test_the_addresses_beside_may_be_called(host: str) -> None:
    assert is_public(ip_address(host))


@pytest.mark.parametrize("host", [host.strip("[]") for host in LITERAL if host[:2] not in {"0x", "01", "21"}])
def test_a_name_that_leads_inside_is_refused(
    host: str, connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if host == "127.1":
        host = "127.0.0.1"
    resolving_to(monkeypatch, [host])

    with pytest.raises(NotAllowed):
        call("https://hooks.example.com/", "{}", {})

    assert connected == []


def test_the_address_that_was_checked_is_connected_to(
    connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving_to(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])

    with pytest.raises(Exception, match="no network in tests"):
        call("https://hooks.example.com/", "{}", {})

    assert asked == ["hooks.example.com"]
    assert connected == [("93.184.215.14", 443)]


@pytest.mark.django_db
@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1"])
def test_a_name_that_leads_inside_since_is_not_called(
    inside: str, connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public when the endpoint was registered and at the first try, inside at the second."""
    resolving_to(monkeypatch, ["93.184.215.14"], [inside])
    endpoint = Endpoint(url="https://hooks.example.com/")
    register_endpoint(endpoint)
    for _ in range(2):
        send_test(endpoint)
        Endpoint.objects.update(paused_until=None)
        dispatch()
        run_due("webhooks")
        Delivery.objects.update(due_at=timezone.now() + timedelta(hours=1))

    assert connected == [("93.184.215.14", 443)]
    errors = list(Attempt.objects.order_by("pk").values_list("error", flat=True))
    assert len(errors) == 2
    assert errors[1] == "Not called: hooks.example.com is not a public address"


def test_of_several_addresses_the_public_ones_are_tried(
    connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, ["10.0.0.1", "2606:2800:21f::1", "93.184.215.14"])

    with pytest.raises(Exception, match="no network in tests"):
        call("https://hooks.example.com/", "{}", {})

    assert [address for address, _ in connected] == ["2606:2800:21f::1", "93.184.215.14"]


def test_a_listed_network_may_be_called(receiver: Receiver, settings: Settings) -> None:
    assert call(receiver.url, "{}", {}).status == 200

    settings.WEBHOOK_ALLOW = [ip_network("127.0.0.2/32")]
    with pytest.raises(NotAllowed):
        call(receiver.url, "{}", {})
    assert len(receiver.got) == 1


def test_http_is_for_development_and_listed_addresses(
    connected: list[Any], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    with pytest.raises(NotAllowed):
        check_url("http://hooks.example.com/")
    settings.WEBHOOK_ALLOW = [ip_network("10.0.5.7/32")]
    check_url("http://10.0.5.7/hook")
    resolving_to(monkeypatch, ["93.184.215.14"])
    with pytest.raises(NotAllowed):
        call("http://hooks.example.com/", "{}", {})
    assert connected == []

    settings.DEBUG = True
    with pytest.raises(Exception, match="no network in tests"):
        call("http://hooks.example.com/", "{}", {})
    assert connected == [("93.184.215.14", 80)]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user:word@hooks.example.com/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nHost: x",
        "https://exämple.com/",
        "https://[::1",
        f"https://{'a' * 64}.example.com/",
        f"https://hooks.example.com/{'a' * 500}",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        check_url(url)


def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert call(receiver.url, "{}", {}).status == 200
