"""The metrics for Prometheus; docs/watching.md explains each.

Label values come from the code, never from a client: each value is a time series that stays.
"""

import os
from collections.abc import Callable
from functools import partial
from threading import local
from time import perf_counter

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, values

from aimessage.server.slots import FOLDER_VARIABLE, current_slot

#: The methods that the API knows; all others share OTHER_METHOD.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
#: The route of requests that no view answered: an unknown path, a refused host, a preflight.
UNMATCHED = "unmatched"
#: Seconds. A read takes a few milliseconds, a login a quarter of a second.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

#: Seconds until an event is sent; streams read the log ten times a second.
LAG_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

DOORS = ("api", "admin")
LOGIN_OUTCOMES = (
    *("success", "wrong", "locked", "disabled", "unverified", "not_staff"),
    *("code_required", "wrong_code"),
)
REFRESH_OUTCOMES = ("ok", "replayed", "reused", "ended", "invalid")
CUT_REASONS = ("slow", "stuck", "broken")

if FOLDER_VARIABLE in os.environ:
    values.ValueClass = values.MultiProcessValue(current_slot)  # type: ignore[no-untyped-call]
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "aimessage_http_requests_total",
    "Requests answered.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
REQUEST_DURATION = Histogram(
    "aimessage_http_request_duration_seconds",
    "Time from a request's arrival in a worker to its answer.",
    ["method", "route"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
DATABASE_TIME = Counter(
    "aimessage_http_request_database_seconds_total",
    "Part of the requests' time that was spent in database queries.",
    ["method", "route"],
    registry=REGISTRY,
)
DATABASE_QUERIES = Counter(
    "aimessage_http_request_database_queries_total",
    "Database queries that requests made.",
    ["method", "route"],
    registry=REGISTRY,
)
DATABASE_ERRORS = Counter(
    "aimessage_database_errors_total",
    "Queries and connections that failed, by Django's name for the error.",
    ["error"],
    registry=REGISTRY,
)
DATABASE_CONNECTS = Counter(
    "aimessage_database_connects_total", "Database connections that were opened.", registry=REGISTRY
)
DATABASE_CONNECTIONS = Gauge(
    "aimessage_database_connections",
    "Database connections that a worker holds open; of PostgreSQL alone.",
    ["worker"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
WORKER_STARTS = Counter(
    "aimessage_worker_starts_total", "Workers that were started, the first ones included.", registry=REGISTRY
)
LOGINS = Counter("aimessage_logins_total", "Logins tried.", ["door", "outcome"], registry=REGISTRY)
LOCKOUTS = Counter(
    "aimessage_lockouts_total",
    "Pairs of username and address that were locked out for wrong passwords.",
    registry=REGISTRY,
)
REFRESHES = Counter("aimessage_refreshes_total", "Refresh tokens presented.", ["outcome"], registry=REGISTRY)
MESSAGES_SENT = Counter("aimessage_messages_sent_total", "Messages sent.", registry=REGISTRY)
REPORTS_FILED = Counter("aimessage_reports_filed_total", "Reports filed.", registry=REGISTRY)
STREAMS_OPEN = Gauge(
    "aimessage_streams_open",
    "Event streams that a worker holds open.",
    ["worker"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
STREAMS_CUT = Counter(
    "aimessage_streams_cut_total",
    "Streams that were cut off, their clients not reading.",
    ["reason"],
    registry=REGISTRY,
)
STREAM_LAG = Histogram(
    "aimessage_stream_lag_seconds",
    "Time from when an event was written until it was sent to a stream that was waiting for it.",
    buckets=LAG_BUCKETS,
    registry=REGISTRY,
)
EVENTS_WRITTEN = Counter(
    "aimessage_events_written_total", "Rows written to the log of events.", registry=REGISTRY
)

# All series exist from the start: rate() does not see the event that creates a series.
for _outcome in LOGIN_OUTCOMES:
    for _door in DOORS:
        if (_door, _outcome) != ("api", "not_staff"):
            LOGINS.labels(_door, _outcome)
for _outcome in REFRESH_OUTCOMES:
    REFRESHES.labels(_outcome)
for _reason in CUT_REASONS:
    STREAMS_CUT.labels(_reason)
for _error in ("OperationalError", "InterfaceError", "IntegrityError", "DataError", "ProgrammingError"):
    DATABASE_ERRORS.labels(_error)


def count(counter: Counter, by: int = 1) -> None:
    """Counts when the current transaction commits; at once if there is none."""
    transaction.on_commit(partial(counter.inc, by) if by != 1 else counter.inc)


def count_login(door: str, outcome: str) -> None:
    # At once: a refused login rolls its transaction back, and counts all the same.
    LOGINS.labels(door, outcome).inc()


# --- Requests and their queries: the hot path ---------------------------------------------------


class _Spent(local):
    """Database time and queries of the request that this thread is answering."""

    seconds = 0.0
    queries = 0


_spent = _Spent()
#: Bounded by the number of routes, METHODS and statuses.
_requests: dict[tuple[str | None, str | None, int], Counter] = {}
_details: dict[tuple[str | None, str | None], tuple[Histogram, Counter, Counter]] = {}


def start_request() -> float:
    _spent.seconds = 0.0
    _spent.queries = 0
    return perf_counter()


def finish_request(started: float, method: str | None, route: str | None, status: int) -> None:
    seconds = perf_counter() - started
    if method not in METHODS:
        method = OTHER_METHOD
    try:
        requests = _requests[method, route, status]
        duration, database_time, database_queries = _details[method, route]
    except KeyError:
        labels = (method, UNMATCHED if route is None else f"/{route}")
        requests = _requests[method, route, status] = REQUESTS.labels(*labels, status)
        duration, database_time, database_queries = _details[method, route] = (
            REQUEST_DURATION.labels(*labels),
            DATABASE_TIME.labels(*labels),
            DATABASE_QUERIES.labels(*labels),
        )
    requests.inc()
    duration.observe(seconds)
    if _spent.queries:
        database_time.inc(_spent.seconds)
        database_queries.inc(_spent.queries)


def time_query(
    execute: Callable[..., object], sql: str, params: object, many: bool, context: object
) -> object:
    # Django's execute wrapper. SQLite finds rows while they are fetched, and that time is not measured.
    started = perf_counter()
    try:
        return execute(sql, params, many, context)
    except Error as error:
        DATABASE_ERRORS.labels(type(error).__name__).inc()
        raise
    finally:
        _spent.seconds += perf_counter() - started
        _spent.queries += 1


def watch_connection(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    # Receives connection_created, also for each reconnect.
    DATABASE_CONNECTS.inc()
    if time_query not in connection.execute_wrappers:
        # First, since `with connection.execute_wrapper(…)` removes the last one when it ends.
        connection.execute_wrappers.insert(0, time_query)


def connections_changed(by: int) -> None:
    DATABASE_CONNECTIONS.labels(current_slot()).inc(by)
