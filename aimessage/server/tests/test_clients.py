import pytest
from django.test import RequestFactory
from pytest_django import Settings

from aimessage.server.clients import client_address, client_network, read_address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, "192.0.2.1"),
        (0, "203.0.113.5", "192.0.2.1"),
        (1, None, "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "10.0.0.1, 203.0.113.5", "203.0.113.5"),
        (2, "10.0.0.1,203.0.113.5 , 10.9.9.9", "203.0.113.5"),
        (2, "203.0.113.5", "203.0.113.5"),
        (1, "2001:DB8::0:1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "unknown", None),
        (1, "203.0.113.9:51234", "203.0.113.9"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "[2001:db8::1]", "2001:db8::1"),
        (1, '"[2001:db8::1]:443"', "2001:db8::1"),
        (1, "192.0.2.99, [2001:DB8:0::1]:65535", "2001:db8::1"),
        (2, "203.0.113.9:51234, 10.9.9.9:80", "203.0.113.9"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "[::ffff:203.0.113.9]:51234", "203.0.113.9"),
        (1, "[::FFFF:cb00:7109]", "203.0.113.9"),
        (1, "[fe80::1%eth0]:443", "fe80::1"),
        (0, "[2001:db8::1]:443", "192.0.2.1"),
        (1, "203.0.113.9:", None),
        (1, "203.0.113.9:1:2", None),
        (1, "[203.0.113.9", None),
        (1, "]:[", None),
        (1, "\u0661.2.3.4", None),
        (1, "<script>", None),
    ],
)
def test_forwarded_addresses_are_believed_as_far_as_proxies_are_trusted(
    rf: RequestFactory, settings: Settings, proxies: int, forwarded: str | None, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies  # type: ignore[attr-defined]
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}

    assert client_address(rf.get("/", REMOTE_ADDR="192.0.2.1", **headers)) == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (None, ""),
        ("", ""),
        ("nonsense", ""),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_who_has_a_64_is_one_client(address: str | None, network: str) -> None:
    assert client_network(address) == network


def test_an_ipv4_address_in_ipv6_is_that_address(rf: RequestFactory) -> None:
    assert client_address(rf.get("/", REMOTE_ADDR="::ffff:192.0.2.1")) == "192.0.2.1"
    assert read_address(" ::FFFF:192.0.2.1 ") == "192.0.2.1"


def test_a_unix_socket_has_no_address(rf: RequestFactory) -> None:
    assert client_address(rf.get("/", REMOTE_ADDR="")) is None
