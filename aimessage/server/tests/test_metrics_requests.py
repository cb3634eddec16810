"""Which requests and queries /metrics counts, and under which labels."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.server.metrics import METHODS
from aimessage.server.tests.scraping import Change, scrape, value
from conftest import ApiClient
from tests.factories import MessageFactory

pytestmark = pytest.mark.usefixtures("local_only", "database_that_answers")


def test_a_request_is_counted_under_its_route(as_user: ApiClient, alice: User, bob: User) -> None:
    message = MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)
    labels = {"method": "GET", "route": "/messages/<str:pk>"}
    seconds = value("aimessage_http_request_duration_seconds_sum", **labels)
    change = Change()

    client.get(f"/messages/{message.pk}")
    client.get(f"/messages/{message.pk}/")
    client.get("/messages/999")

    assert change.of("http_requests_total") == {
        ("http_requests_total", *labels.values(), "200"): 2,
        ("http_requests_total", *labels.values(), "404"): 1,
    }
    assert value("aimessage_http_request_duration_seconds_count", **labels) >= 3
    assert value("aimessage_http_request_duration_seconds_sum", **labels) > seconds


def test_its_queries_are_counted_with_it(as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    client.get("/messages")
    change = Change()

    with CaptureQueriesContext(connection) as queries:
        client.get("/messages")
        number = len(queries)
    client.get("/health")

    route = ("GET", "/messages")
    counted = change.of("http_request_database_queries_total", "http_request_database_seconds_total")
    assert counted.pop(("http_request_database_queries_total", *route)) == number >= 2
    assert 0 < counted.pop(("http_request_database_seconds_total", *route)) < 5
    assert counted == {}


@pytest.mark.parametrize(
    "path", ["/nope", "/nope/1234", '/"},x="', "/%0a%22", "/messages/1/2/3", "/\u2028", "/metricsx"]
)
def test_no_path_becomes_a_label(client: Client, path: str) -> None:
    change = Change()

    client.get(path)

    assert change.of("http_requests_total") == {("http_requests_total", "GET", "unmatched", "404"): 1}


@pytest.mark.parametrize("method", ["BREW", 'x"y', "TRACE", "A" * 100])
def test_no_method_becomes_a_label(client: APIClient, method: str) -> None:
    change = Change()

    client.generic(method, "/health")

    [(_, counted, route, _)] = change.of("http_requests_total")
    assert (counted, route) == ("other", "/health")
    assert method not in METHODS


def test_the_series_of_routes_are_bounded(client: Client, as_user: ApiClient, alice: User) -> None:
    client = as_user(alice)
    client.get("/messages/1")
    client.get("/nope/1")
    before = len(Change.now())

    for number in range(2, 30):
        client.get(f"/messages/{number}")
        client.get(f"/nope/{number}", HTTP_USER_AGENT=f"agent {number}")

    assert len(Change.now()) == before


def test_what_is_refused_before_any_view_is_counted(client: Client) -> None:
    change = Change()

    client.get("/health", HTTP_HOST="evil.example")
    client.post("/health", "x" * 300_000, content_type="text/plain")

    assert change.of("http_requests_total") == {
        ("http_requests_total", "GET", "unmatched", "400"): 1,
        ("http_requests_total", "POST", "unmatched", "413"): 1,
    }


def test_a_failure_of_ours_is_counted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise ImproperlyConfigured("broken")

    monkeypatch.setattr("aimessage.api.system.HealthView.get", fail)
    client.raise_request_exception = False
    change = Change()

    client.get("/health")

    assert change.of("http_requests_total") == {("http_requests_total", "GET", "/health", "500"): 1}


def test_a_scrape_counts_nothing(client: Client) -> None:
    change = Change()

    scrape(client)

    assert change.of() == {}


def test_a_query_that_fails_is_counted(db: None) -> None:
    change = Change()

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")

    [(_, error)] = change.of("database_errors_total")
    assert error in {"OperationalError", "ProgrammingError"}  # as SQLite and PostgreSQL name it
