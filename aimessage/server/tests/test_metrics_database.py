"""What /metrics reads from the database."""

import threading
from time import monotonic
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from accounts.events import EndReason
from accounts.gauges import count_live_sessions
from accounts.models import User
from accounts.services.sessions import end_sessions
from aimessage.server.metrics import gauges
from aimessage.server.metrics.gauges import DatabaseCollector
from conftest import ApiClient
from reports.gauges import count_reports, find_oldest_open
from reports.models import Report
from tests.factories import ReportFactory

pytestmark = pytest.mark.usefixtures("local_only", "database_that_answers")


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
