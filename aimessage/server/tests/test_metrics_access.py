"""Who may read /metrics."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from aimessage.server.tests.scraping import scrape

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("local_only", "database_that_answers")]


TOKEN = "a-token-that-nobody-guesses"


def test_this_machine_may_read_it(client: Client) -> None:
    answer = scrape(client)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (answer["Cache-Control"], answer["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert len(answer["X-Request-ID"]) == 32


def refused_like_a_missing_page(client: Client, **extra: Any) -> None:
    answer, missing = (client.get(path, **extra) for path in ("/metrics", "/no-such-page"))

    assert answer.status_code == missing.status_code != 200
    assert answer.content == missing.content
    assert set(answer.headers) == set(missing.headers)


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.5", "::ffff:192.0.2.7", "2001:db8::1", "", "unix:"])
def test_no_other_machine_may(client: Client, address: str) -> None:
    refused_like_a_missing_page(client, REMOTE_ADDR=address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_has_several_addresses(client: Client, address: str) -> None:
    assert scrape(client, REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize(
    "header", ["X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "X_REAL_IP", "FORWARDED", "VIA"]
)
@pytest.mark.parametrize("text", ["127.0.0.1", "192.0.2.7", ""])
def test_a_proxy_on_this_machine_opens_it_to_nobody(
    client: Client, settings: Settings, proxies: int, header: str, text: str
) -> None:
    settings.TRUSTED_PROXIES = proxies

    refused_like_a_missing_page(client, **{f"HTTP_{header}": text})


def test_the_settings_name_others(client: Client, settings: Settings) -> None:
    settings.METRICS_FROM = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]

    assert scrape(client, REMOTE_ADDR="10.1.2.3").status_code == 200
    assert scrape(client, REMOTE_ADDR="fd00::7").status_code == 200
    assert scrape(client, REMOTE_ADDR="127.0.0.1").status_code == 404


def test_the_settings_name_nobody(client: Client, settings: Settings) -> None:
    settings.METRICS_FROM = []

    assert scrape(client).status_code == 404


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_token_opens_it_from_anywhere_and_under_any_name(
    client: Client, settings: Settings, scheme: str
) -> None:
    settings.METRICS_TOKEN, settings.METRICS_FROM = TOKEN, []
    extra = {"REMOTE_ADDR": "192.0.2.7", "HTTP_X_FORWARDED_FOR": "192.0.2.8"}

    answer = scrape(client, "web-1:8000", HTTP_AUTHORIZATION=f"{scheme} {TOKEN}", **extra)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        "Bearer \udc80\xff",
    ],
)
def test_another_token_does_not(client: Client, settings: Settings, header: str) -> None:
    settings.METRICS_TOKEN = TOKEN

    refused_like_a_missing_page(client, REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION=header)


def test_an_empty_token_is_none(client: Client) -> None:
    refused_like_a_missing_page(client, REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION="Bearer ")


@pytest.mark.parametrize(
    "host", ["10.0.0.5:8000", "[fd00::7]:8000", "[::1]", "localhost", "chat.example.org"]
)
def test_it_is_found_under_an_address_or_a_name_of_ours(client: Client, host: str) -> None:
    assert scrape(client, host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example", "a b"])
def test_a_page_under_a_name_that_is_bent_to_this_machine_cannot_read_it(client: Client, host: str) -> None:
    refused_like_a_missing_page(client, HTTP_HOST=host)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_it_can_only_be_read(client: Client, method: str) -> None:
    assert getattr(client, method)("/metrics").status_code == 404


def test_https_does_not_redirect_a_scraper_inside_the_network(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert scrape(client).status_code == 200


def test_it_is_no_part_of_the_api(client: Client) -> None:
    assert "/metrics" not in client.get("/openapi.json").json()["paths"]
