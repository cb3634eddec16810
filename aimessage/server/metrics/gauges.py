"""Gauges that are read from the database when Prometheus asks, and whether the database answers."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock, Thread
from time import monotonic

from django.conf import settings
from django.db import Error, connection
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

#: Seconds for which values are reused, so that several scrapers cost as much as one.
KEEP_SECONDS = 15

logger = logging.getLogger("django.request")

Values = dict[tuple[str, ...], float]


@dataclass(frozen=True)
class Gauge:
    name: str
    documentation: str
    labels: tuple[str, ...]
    read: Callable[[], Values]


_gauges: list[Gauge] = []


def gauge(
    name: str, documentation: str, labels: tuple[str, ...] = ()
) -> Callable[[Callable[[], Values]], Callable[[], Values]]:
    """Decorates a function that reads the database and returns a value for each tuple of label values."""

    def register(read: Callable[[], Values]) -> Callable[[], Values]:
        _gauges.append(Gauge(name, documentation, labels, read))
        return read

    return register


class DatabaseCollector(Collector):
    """Reads in one background thread, and waits for it at most `settings.DATABASE_PATIENCE` seconds: a frozen
    database never answers, and must not block more than this one thread.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.thread: Thread | None = None
        self.is_up = False
        self.values: dict[str, Values] = {}
        self.read_at = float("-inf")

    def collect(self) -> Iterable[Metric]:
        is_up, values = self._ask()
        yield GaugeMetricFamily("aimessage_database_up", "Whether the database answers.", value=is_up)
        for each in _gauges if is_up else ():
            family = GaugeMetricFamily(each.name, each.documentation, labels=each.labels)
            for labels, value in values.get(each.name, {}).items():
                family.add_metric(labels, value)
            yield family

    def _ask(self) -> tuple[bool, dict[str, Values]]:
        with self.lock:
            thread = self.thread
            if thread is None or not thread.is_alive():
                self.is_up = False
                thread = self.thread = Thread(target=self._read, name="metrics", daemon=True)
                thread.start()
        thread.join(settings.DATABASE_PATIENCE)
        return self.is_up, self.values

    def _read(self) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            self.is_up = True
            if monotonic() - self.read_at > KEEP_SECONDS:
                self.values = {each.name: each.read() for each in _gauges}
                self.read_at = monotonic()
        except Error as error:
            self.is_up = False
            logger.error("The database does not answer a scrape of /metrics: %s", error)
        finally:
            connection.close()
