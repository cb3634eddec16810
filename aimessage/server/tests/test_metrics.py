"""What /metrics says, to whom, and what counts as what; test_metrics_server.py has several workers."""

import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from ipaddress import ip_network
from time import monotonic
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.events import EndReason
from accounts.gauges import count_live_sessions
from accounts.models import User
from accounts.services.sessions import end_sessions
from accounts.services.users import disable_user
from aimessage.server.metrics import METHODS, REGISTRY, gauges
from aimessage.server.metrics.gauges import DatabaseCollector
from conftest import ApiClient
from messaging.services.messages import send_message
from reports.gauges import count_reports, find_oldest_open
from reports.models import Report
from reports.services import file_report
from tests.factories import PASSWORD, MessageFactory, ReportFactory

TOKEN = "a-token-that-nobody-guesses"
Committed = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(autouse=True)
def local_only(settings: Settings) -> None:
    settings.METRICS_FROM = [ip_network("127.0.0.1"), ip_network("::1")]
    settings.METRICS_TOKEN = ""
    settings.ALLOWED_HOSTS = ["chat.example.org", "localhost", "127.0.0.1", "[::1]", "testserver"]


@pytest.fixture(autouse=True)
def database_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second connection sees nothing of a test's transaction, and SQLite's would wait for it."""
    monkeypatch.setattr(DatabaseCollector, "_ask", lambda self: (True, {}))


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Committed:
    """What happens within is as good as committed."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def scrape(client: Client, host: str = "127.0.0.1:8000", **extra: Any) -> Any:
    return client.get("/metrics", HTTP_HOST=host, **extra)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


class Change:
    """By how much samples grew since it was made."""

    def __init__(self) -> None:
        self.before = self.now()

    @staticmethod
    def now() -> dict[tuple[str, tuple[str, ...]], float]:
        families = (family for family in REGISTRY.collect() if family.type == "counter")
        return {
            (sample.name.removeprefix("aimessage_"), tuple(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    def of(self, *names: str) -> dict[tuple[str, ...], float]:
        grown = {key: value - self.before.get(key, 0) for key, value in self.now().items()}
        return {
            (name, *labels): by for (name, labels), by in grown.items() if by and (not names or name in names)
        }


EVENTS = ("logins_total", "lockouts_total", "refreshes_total", "messages_sent_total", "reports_filed_total")


# --- Who may read it --------------------------------------------------------------------------


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


# --- What it looks like -----------------------------------------------------------------------


def test_it_follows_the_conventions_of_prometheus(client: Client, db: None) -> None:
    """What `promtool check metrics` asks, so that it holds where there is no promtool."""
    for path in ("/health", "/nope", "/auth/me"):
        client.get(path)
    text = scrape(client).content.decode()
    families = list(text_string_to_metric_families(text))

    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 15
    for family in families:
        assert re.fullmatch(r"aimessage_[a-z]+(_[a-z]+)*", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        assert not family.name.startswith(f"aimessage_{family.type}"), family.name
        assert not re.search(
            r"_(counter|gauge|histogram|milliseconds|ms|minutes|kb|mb|kilobytes|megabytes|percent)(_|$)",
            family.name,
        )
        seen = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(seen) == len(set(seen)), family.name
        for sample in family.samples:
            assert all(re.fullmatch("[a-z]+", label) for label in sample.labels), sample
            if family.type == "counter":
                assert sample.name == f"{family.name}_total"
            if family.type == "gauge":
                assert not sample.name.endswith(("_total", "_count", "_sum", "_bucket", "_created")), sample
    assert f"# TYPE {families[0].name}" in text


@pytest.mark.skipif(not shutil.which("promtool"), reason="the test above asks the same without promtool")
def test_promtool_agrees(client: Client, db: None) -> None:
    client.get("/health")

    done = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607
        input=scrape(client).content,
        capture_output=True,
        timeout=30,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_it_tells_what_is_running_and_what_it_takes(client: Client) -> None:
    families = {
        family.name: family.samples
        for family in text_string_to_metric_families(scrape(client).content.decode())
    }

    [build] = families["aimessage_build_info"]
    assert set(build.labels) == {"version", "python", "django"}
    [memory] = families["aimessage_worker_resident_memory_bytes"]
    assert memory.labels == {"worker": "0"}
    assert 10e6 < memory.value < 10e9
    [started] = families["aimessage_worker_start_time_seconds"]
    assert 0 < timezone.now().timestamp() - started.value < 24 * 3600
    assert families["aimessage_worker_cpu_seconds"][0].value > 0
    assert families["aimessage_worker_open_fds"][0].value >= 3


# --- Requests ---------------------------------------------------------------------------------


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


# --- What people do ---------------------------------------------------------------------------


def test_logins_are_counted_by_how_they_end(client: APIClient, alice: User, committed: Committed) -> None:
    def log_in(**changed: str) -> int:
        with committed():
            return client.post(
                "/auth/login", {"username": "alice", "password": PASSWORD, **changed}
            ).status_code

    change = Change()
    assert log_in() == 200
    assert change.of(*EVENTS) == {("logins_total", "api", "success"): 1}

    assert log_in(password="not-hers") == 401
    assert log_in(username="nobody") == 401
    User.objects.update(is_active=False)
    assert log_in() == 403
    assert log_in(password="") == 400  # nothing that was tried

    assert change.of(*EVENTS) == {
        ("logins_total", "api", "success"): 1,
        ("logins_total", "api", "wrong"): 2,
        ("logins_total", "api", "disabled"): 1,
    }


def test_a_lockout_is_counted_once(client: APIClient, alice: User, committed: Committed) -> None:
    change = Change()

    with committed():
        for _ in range(8):
            client.post("/auth/login", {"username": "alice", "password": "not-hers"})

    assert change.of(*EVENTS) == {
        ("logins_total", "api", "wrong"): 5,
        ("lockouts_total",): 1,
        ("logins_total", "api", "locked"): 3,
    }


def test_logins_to_the_admin_are_counted_too(superuser: User, alice: User, committed: Committed) -> None:
    def log_in(username: str, password: str) -> None:
        with committed():
            Client().post("/admin/login/", {"username": username, "password": password})

    change = Change()
    log_in("root", PASSWORD)
    log_in("root", "")
    log_in("alice", PASSWORD)
    disable_user(alice, actor=superuser)
    log_in("alice", PASSWORD)
    for _ in range(6):
        log_in("root", "not-hers")

    assert change.of(*EVENTS) == {
        ("logins_total", "admin", "success"): 1,
        ("logins_total", "admin", "not_staff"): 1,
        ("logins_total", "admin", "disabled"): 1,
        ("logins_total", "admin", "wrong"): 5,
        ("lockouts_total",): 1,
        ("logins_total", "admin", "locked"): 1,
    }


def test_refreshes_are_counted_by_how_they_end(
    client: APIClient, as_user: ApiClient, alice: User, committed: Committed, time_machine: TimeMachineFixture
) -> None:
    def refresh(token: str) -> str:
        change = Change()
        with committed():
            client.post("/auth/refresh", {"refresh_token": token})
        [(_, outcome)] = change.of(*EVENTS)
        return outcome

    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    opened = as_user(alice)
    token = opened.tokens.refresh_token

    assert refresh(token) == "ok"
    assert refresh(token) == "replayed"
    time_machine.move_to("2026-03-01T12:01:00Z", tick=False)
    assert refresh(token) == "reused"
    assert refresh(token) == "ended"
    assert refresh("no token") == "invalid"
    time_machine.move_to("2026-04-01T12:00:00Z", tick=False)
    assert refresh(token) == "invalid"


def test_a_message_that_is_sent_is_counted_and_its_replay_is_not(
    as_user: ApiClient, alice: User, bob: User, committed: Committed
) -> None:
    client = as_user(alice)
    change = Change()

    for _ in range(2):
        with committed():
            body = {"recipient_id": bob.pk, "content": "Noon?"}
            assert client.post("/messages", body, HTTP_IDEMPOTENCY_KEY="k").status_code == 201
    with committed():
        assert client.post("/messages", {"recipient_id": alice.pk, "content": "x"}).status_code == 400

    assert change.of(*EVENTS) == {("messages_sent_total",): 1}


def test_a_report_that_is_filed_is_counted(as_user: ApiClient, alice: User, committed: Committed) -> None:
    client = as_user(alice)
    change = Change()

    with committed():
        assert client.post("/reports", {"title": "Insults", "content": "Look."}).status_code == 201
    with committed():
        client.post("/reports", {"title": "Insults", "content": "Look.", "message_id": 999})

    assert change.of(*EVENTS) == {("reports_filed_total",): 1}


def test_what_is_rolled_back_is_not_counted(alice: User, bob: User, committed: Committed) -> None:
    change = Change()

    with committed(), transaction.atomic():
        send_message(alice, content="Noon?", recipient_id=bob.pk)
        file_report(alice, title="Insults", content="Look.")
        transaction.set_rollback(True)

    assert change.of(*EVENTS) == {}


# --- What is read from the database -----------------------------------------------------------


@pytest.mark.parametrize("number", [3, 30])
def test_reports_are_counted_by_status_in_one_query(
    db: None, number: int, django_assert_num_queries: Any
) -> None:
    ReportFactory.create_batch(number)
    ReportFactory.create_batch(2, status=Report.Status.IN_PROGRESS)

    with django_assert_num_queries(1):  # a count by status
        counts = count_reports()

    assert counts == {("open",): number, ("in_progress",): 2, ("resolved",): 0}


def test_the_oldest_open_report_is_told(db: None) -> None:
    assert find_oldest_open() == {}
    ReportFactory(status=Report.Status.IN_PROGRESS)
    first, _ = ReportFactory.create_batch(2)

    assert find_oldest_open() == {(): first.created_at.timestamp()}


def test_live_sessions_are_counted(as_user: ApiClient, alice: User) -> None:
    as_user(alice)
    ended = as_user(alice).session_row
    end_sessions(type(ended).objects.filter(pk=ended.pk), reason=EndReason.ADMIN)

    assert count_live_sessions() == {(): 1}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> DatabaseCollector:
    """The real one, with a reading that each test makes up."""
    monkeypatch.undo()  # of database_that_answers
    settings.DATABASE_PATIENCE = 0.2
    return DatabaseCollector()


def read(collector: DatabaseCollector) -> dict[str, Any]:
    return {
        family.name: {**{tuple(s.labels.values()): s.value for s in family.samples}}
        for family in collector.collect()
    }


@pytest.mark.django_db(transaction=True)
def test_readings_are_good_for_some_seconds(
    collector: DatabaseCollector, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.DATABASE_PATIENCE = 5
    asked = []

    def count() -> dict[tuple[str, ...], float]:
        asked.append(1)
        return {("a",): len(asked)}

    monkeypatch.setattr(gauges, "_gauges", [gauges.Gauge("x", "X.", ("kind",), count)])

    first, second = read(collector), read(collector)
    collector.read_at -= gauges.KEEP_SECONDS
    third = read(collector)

    assert first == second == {"aimessage_database_up": {(): 1}, "x": {("a",): 1}}
    assert third["x"] == {("a",): 2}


@pytest.mark.django_db(transaction=True)
def test_a_database_that_refuses_is_down(
    collector: DatabaseCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def cursor(self) -> Any:
            raise OperationalError("connection refused")

        def close(self) -> None:
            pass

    monkeypatch.setattr(gauges, "connection", Refusing())
    monkeypatch.setattr(gauges, "_gauges", [gauges.Gauge("x", "X.", (), dict)])

    assert read(collector) == {"aimessage_database_up": {(): 0}}


def test_a_database_that_says_nothing_is_down_and_takes_one_thread(
    collector: DatabaseCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen, asked = threading.Event(), []

    def wait(self: DatabaseCollector) -> None:
        asked.append(1)
        frozen.wait(timeout=30)

    monkeypatch.setattr(DatabaseCollector, "_read", wait)
    try:
        started = monotonic()
        answers = [read(collector) for _ in range(3)]
        assert monotonic() - started < 5
        assert answers == [{"aimessage_database_up": {(): 0}}] * 3
        assert len(asked) == 1
    finally:
        frozen.set()
