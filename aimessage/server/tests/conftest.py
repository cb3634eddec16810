from ipaddress import ip_network
from typing import Any

import pytest
from pytest_django import Settings

from aimessage.server.metrics.gauges import DatabaseCollector
from aimessage.server.tests.scraping import Committed


@pytest.fixture
def local_only(settings: Settings) -> None:
    settings.METRICS_FROM = [ip_network("127.0.0.1"), ip_network("::1")]
    settings.METRICS_TOKEN = ""
    settings.ALLOWED_HOSTS = ["chat.example.org", "localhost", "127.0.0.1", "[::1]", "testserver"]


@pytest.fixture
def database_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second connection sees nothing of a test's transaction, and SQLite's would wait for it."""
    monkeypatch.setattr(DatabaseCollector, "_ask", lambda self: (True, {}))


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Committed:
    """What happens within is as good as committed."""
    return lambda: django_capture_on_commit_callbacks(execute=True)
