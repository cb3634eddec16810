"""The figures on the admin's home page, in a constant number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from django.db.models import Count, Min, Model, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from accounts.models import FailedLogin, Session, User
from aimessage.db.ids import first_id
from messaging.models import Message
from reports.models import Report

WEEK = timedelta(days=7)
#: Days that a plot shows, today among them.
DAYS = 30


@dataclass(frozen=True)
class Work:
    """Unresolved reports, and those resolved in the last seven days."""

    open: int
    #: How long the oldest has been open, None if no report is.
    oldest: timedelta | None
    in_progress: int
    mine: int
    resolved: int
    #: From report to resolution, None if no report was resolved.
    median: timedelta | None
    #: When those seven days began.
    since: datetime


@dataclass(frozen=True)
class Series:
    """A number for every day, oldest first."""

    days: list[tuple[date, int]]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.days)

    @property
    def last_day(self) -> date:
        return self.days[-1][0]

    @property
    def most(self) -> int:
        return max(count for _, count in self.days)


@dataclass(frozen=True)
class Traffic:
    people: Series
    messages: Series
    #: Failed logins that no successful one followed; `lockouts` are those that began a lockout.
    failed_logins: Series
    lockouts: Series
    live_sessions: int
    #: When the plots begin.
    since: datetime


def count_work(moderator: User) -> Work:
    now = timezone.now()
    taken = Q(status=Report.Status.IN_PROGRESS)
    waiting = Q(status=Report.Status.OPEN)
    # Served by report_status, which skips the ever more resolved reports.
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
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=DAYS - 1)
    (people,) = _per_day(User, "created_at", since, Count("pk"))
    (messages,) = _per_day(Message, "created_at", since, Count("pk"))
    locking = Count("pk", filter=Q(locked_out=True))
    failed_logins, lockouts = _per_day(FailedLogin, "attempt_time", since, Count("pk"), locking)
    return Traffic(
        people=people,
        messages=messages,
        failed_logins=failed_logins,
        lockouts=lockouts,
        live_sessions=Session.objects.live().order_by().count(),
        since=since,
    )


def _per_day(model: type[Model], column: str, since: datetime, *counts: Count) -> list[Series]:
    """One Series per aggregate in `counts`: its value for each of the DAYS days from `since`, by `column`."""
    rows = model._default_manager.filter(
        **{"pk__gte": first_id(model, column, since), f"{column}__gte": since}
    )
    named = {f"count_{number}": count for number, count in enumerate(counts)}
    counted = rows.order_by().values(day=TruncDate(column)).annotate(**named)
    by_day = {row["day"]: row for row in counted}
    days = [since.date() + timedelta(days=number) for number in range(DAYS)]
    return [Series([(day, by_day[day][name] if day in by_day else 0) for day in days]) for name in named]
