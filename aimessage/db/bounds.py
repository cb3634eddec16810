"""How long a statement may run in a process that answers requests.

Without a bound a search goes on when its client is gone. Management commands, migrations and backups answer
no requests, and have none. PostgreSQL keeps the time itself, and ends a statement also when the worker that
sent it has died; for SQLite its progress handler looks at the clock.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

#: Steps of SQLite's machine between two looks at the clock. Each takes Python's lock, which others may hold.
STEPS = 50_000

#: What PostgreSQL and SQLite say of a statement that took too long.
_CANCELED = ("statement timeout", "interrupted")


class _Process:
    #: Whether it has answered a request; it is a server's, then.
    serving = False


class _Thread(threading.local):
    #: Seconds that a statement may take here, where that is not what the settings say.
    allowed: float | None = None
    #: Whether there is a bound here although the process has none.
    bounded = False


_process, _thread = _Process(), _Thread()


def is_serving() -> bool:
    return _process.serving


def statement_seconds() -> float:
    seconds: float = settings.STATEMENT_SECONDS
    return seconds if _thread.allowed is None else _thread.allowed


def start_serving(**kwargs: object) -> None:
    """Receives request_started. PostgreSQL's connections that are made from then on have the bound."""
    _process.serving = True


@contextmanager
def allow(seconds: float) -> Iterator[None]:
    """Lets statements take longer, to the end of the transaction that it is in."""
    before = _thread.allowed
    _thread.allowed = seconds
    try:
        if _process.serving and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {round(1000 * seconds)}")
        yield
    finally:
        _thread.allowed = before


@contextmanager
def bound(seconds: float) -> Iterator[None]:
    """Bounds statements in a process that answers no requests, as a worker's. On PostgreSQL call it in a
    transaction, to whose end the bound stays."""
    before = _thread.allowed, _thread.bounded
    _thread.allowed, _thread.bounded = seconds, True
    try:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {round(1000 * seconds)}")
        yield
    finally:
        _thread.allowed, _thread.bounded = before


def took_too_long(error: BaseException) -> bool:
    """Whether the bound ended the statement."""
    return isinstance(error, OperationalError) and any(words in str(error) for words in _CANCELED)


def watch_sqlite(connection: Any, **kwargs: object) -> None:
    """Receives connection_created, of a connection's every reconnect."""
    if connection.vendor != "sqlite":
        return
    connection.connection.set_progress_handler(lambda: time.monotonic() > connection.deadline, STEPS)
    connection.deadline = float("inf")
    if _set_deadline not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _set_deadline)


def _set_deadline(execute: Callable[..., Any], sql: object, params: object, many: bool, context: Any) -> Any:
    """Rows are found while they are fetched, so the deadline stands until the next statement."""
    limit = statement_seconds() if _process.serving or _thread.bounded else float("inf")
    context["connection"].deadline = time.monotonic() + limit
    return execute(sql, params, many, context)
