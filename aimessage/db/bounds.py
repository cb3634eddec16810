"""Limits how long a statement may run in a process that answers requests.

Without a limit a search continues after its client is gone. Management commands, migrations and backups
answer no requests, and have no limit. PostgreSQL enforces it by statement_timeout, even when the worker has
died; on SQLite a progress handler checks the clock.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection

#: Steps of SQLite's virtual machine between two checks of the clock. Each check takes the GIL.
STEPS = 50_000

#: Parts of the error messages of PostgreSQL and SQLite.
_CANCELED = ("statement timeout", "interrupted")


class _Process:
    #: Whether it has begun to answer requests.
    serving = False


class _Thread(threading.local):
    #: Seconds; None for those of the settings.
    allowed: float | None = None
    #: Whether statements have a limit although the process answers no requests.
    bounded = False


_process, _thread = _Process(), _Thread()


def is_serving() -> bool:
    return _process.serving


def statement_seconds() -> float:
    seconds: float = settings.STATEMENT_SECONDS
    return seconds if _thread.allowed is None else _thread.allowed


def start_serving(**kwargs: object) -> None:
    # Receives request_started. Connections to PostgreSQL that are opened from now on have the limit.
    _process.serving = True


@contextmanager
def allow(seconds: float) -> Iterator[None]:
    """Lets statements take longer, until the current transaction ends."""
    before = _thread.allowed
    _thread.allowed = seconds
    try:
        if _process.serving:
            _limit_transaction(seconds)
        yield
    finally:
        _thread.allowed = before


@contextmanager
def bound(seconds: float) -> Iterator[None]:
    """Limits statements in a process that answers no requests, such as a job's worker.

    On PostgreSQL call it inside a transaction; the limit lasts until that ends.
    """
    before = _thread.allowed, _thread.bounded
    _thread.allowed, _thread.bounded = seconds, True
    try:
        _limit_transaction(seconds)
        yield
    finally:
        _thread.allowed, _thread.bounded = before


def _limit_transaction(seconds: float) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {round(1000 * seconds)}")


def took_too_long(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and any(words in str(error) for words in _CANCELED)


def watch_sqlite(connection: Any, **kwargs: object) -> None:
    # Receives connection_created, also for each reconnect.
    if connection.vendor != "sqlite":
        return
    connection.connection.set_progress_handler(lambda: time.monotonic() > connection.deadline, STEPS)
    connection.deadline = float("inf")
    if _set_deadline not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _set_deadline)


def _set_deadline(
    execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, Any]
) -> object:
    # SQLite finds rows while they are fetched, so the deadline stays until the next statement.
    limit = statement_seconds() if _process.serving or _thread.bounded else float("inf")
    context["connection"].deadline = time.monotonic() + limit
    return execute(sql, params, many, context)
