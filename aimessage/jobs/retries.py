"""Retries of jobs with growing delays."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import wraps
from traceback import format_exception
from typing import ParamSpec, TypeVar

from django.db import transaction
from django.utils import timezone

from aimessage.jobs.models import FAILED, Job

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds. A longer Retry-After is cut to this.
LONGEST_WAIT = 24 * 3600.0
logger = logging.getLogger("aimessage.jobs")
_current: ContextVar[Job | None] = ContextVar("job", default=None)


class GiveUp(Exception):
    """Raised by a job that would fail again in the same way; it is not retried."""


class TryAgain(Exception):
    """Raised by a job that failed for now. It is retried after at least `after` seconds."""

    def __init__(self, message: str = "", *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def parse_retry_after(value: str | None) -> float | None:
    """The seconds of a Retry-After header (RFC 9110, 10.2.3), at most LONGEST_WAIT; None if it has none."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (at.replace(tzinfo=at.tzinfo or UTC) - timezone.now()).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)


@contextmanager
def running(job: Job) -> Iterator[None]:
    token = _current.set(job)
    try:
        yield
    finally:
        _current.reset(token)


def retrying(
    delays: Sequence[float],
    *,
    jitter: float = 0.1,
    failed: Callable[..., None] | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T | None]]:
    """Decorates a job, below `@task`: while it raises, it is run again after each of `delays`.

    Delays are in seconds, stretched by up to `jitter`. GiveUp ends the retries; TryAgain(after=…) can make
    a delay longer. `failed(error, next_at, *args)` is called to record the failure, in the transaction that
    puts the job back; `next_at` is None after the last try.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T | None]:
        @wraps(function)
        def tried(*args: P.args, **kwargs: P.kwargs) -> T | None:
            job = _current.get()
            if job is None:  # called directly, not by a worker
                return function(*args, **kwargs)
            try:
                return function(*args, **kwargs)
            except Exception as error:
                next_at = _next_time(error, job.failures, delays, jitter)
                with transaction.atomic():
                    # Before `failed`, so that a try that was taken away records nothing.
                    if next_at and not job.put_back(next_at, why=FAILED, **error_columns(error)):
                        return None
                    if failed is not None:
                        failed(error, next_at, *args, **kwargs)
                if next_at is None:
                    raise
                logger.warning(
                    "%s failed (%s), again at %s",
                    job,
                    type(error).__name__,
                    next_at.isoformat("T", "seconds"),
                )
                return None

        return tried

    return decorate


def _next_time(error: Exception, failures: int, delays: Sequence[float], jitter: float) -> datetime | None:
    if isinstance(error, GiveUp) or failures >= len(delays):
        return None
    seconds = delays[failures] * random.uniform(1, 1 + jitter)  # noqa: S311  no secret
    if isinstance(error, TryAgain) and error.after is not None:
        seconds = max(seconds, min(error.after, LONGEST_WAIT))
    return timezone.now() + timedelta(seconds=seconds)


def error_columns(error: BaseException) -> dict[str, str]:
    return {
        "exception_class_path": f"{type(error).__module__}.{type(error).__qualname__}",
        "traceback": "".join(format_exception(error)).replace("\x00", "\\x00"),
    }
