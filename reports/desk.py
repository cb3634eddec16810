"""The numbers on the admin's home page, each read in a constant number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Count, Min, Model, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from accounts.models import FailedLogin, Session, User
from aimessage.ids import first_id
from messaging.models import Message
from reports.models import Report

WEEK = timedelta(days=7)
#: Days that a plot shows, today among them.
DAYS = 30


@dataclass(frozen=True)
class Work:
    """What there is to do, and what was done in the last seven days."""

    open: int
    #: How long the oldest has been open, None where none is.
    oldest: timedelta | None
    in_progress: int
    mine: int
    resolved: int
    #: From report to resolution, None where nothing was resolved.
    median: timedelta | None
    #: When those seven days began.
    since: datetime


@dataclass(frozen=True)
class Series:
    """A number for each day, oldest first, with none left out."""

    days: list[tuple[date, int]]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.days)

    @property
    def most(self) -> int:
        return max(count for _, count in self.days)


@dataclass(frozen=True)
class Traffic:
    people: Series
    messages: Series
    live_sessions: int
    failed_logins: int
    #: When the plots begin, and the day of failed logins.
    since: datetime
    day_ago: datetime


def count_work(moderator: User) -> Work:
    now = timezone.now()
    taken = Q(status=Report.Status.IN_PROGRESS)
    waiting = Q(status=Report.Status.OPEN)
    # Served by report_status: of the resolved, which are ever more, none is read.
    unresolved = Report.objects.unresolved().aggregate(
        open=Count("pk", filter=waiting),
        oldest=Min("created_at", filter=waiting),
        in_progress=Count("pk", filter=taken),
        mine=Count("pk", filter=taken & Q(assigned_to=moderator.pk)),
    )
    # Served by report_resolved_at. SQLite has no median, and a week's rows are few.
    resolved = Report.objects.filter(resolved_at__gte=now - WEEK).order_by()
    rows: Iterable[tuple[datetime, datetime]] = resolved.values_list("created_at", "resolved_at")  # type: ignore[assignment]
    seconds = [(done - filed).total_seconds() for filed, done in rows]
    oldest = unresolved.pop("oldest")
    return Work(
        **unresolved,
        oldest=now - oldest if oldest else None,
        resolved=len(seconds),
        median=timedelta(seconds=median(seconds)) if seconds else None,
        since=now - WEEK,
    )


def count_traffic() -> Traffic:
    now = timezone.now()
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    since, day_ago = today - timedelta(days=DAYS - 1), now - timedelta(days=1)
    failed = FailedLogin.objects.filter(
        pk__gte=first_id(FailedLogin, "attempt_time", day_ago), attempt_time__gte=day_ago
    )
    return Traffic(
        people=_per_day(User, since),
        messages=_per_day(Message, since),
        live_sessions=Session.objects.live().order_by().count(),
        failed_logins=failed.order_by().count(),
        since=since,
        day_ago=day_ago,
    )


def _per_day(model: type[Model], since: datetime) -> Series:
    """How many rows were made on each of the DAYS days from `since` on."""
    rows: Any = model._default_manager.filter(
        pk__gte=first_id(model, "created_at", since), created_at__gte=since
    )
    counted = rows.order_by().values(day=TruncDate("created_at")).annotate(count=Count("pk"))
    counts = {row["day"]: row["count"] for row in counted}
    days = [since.date() + timedelta(days=number) for number in range(DAYS)]
    return Series([(day, counts.get(day, 0)) for day in days])
