"""The filters of the audit trail's list. Their cost does not depend on the length of the trail."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from aimessage.audit.models import Entry

#: Values that a filter offers. The search finds the others.
CHOICES = 50


def _distinct(column: str, label: str) -> list[tuple[str, str]]:
    """The values of `column`, each with the `label` in its newest row.

    A recursive query jumps from value to value in the column's index; DISTINCT would read the whole index.
    """
    hops = f"""WITH RECURSIVE hops(value) AS (
        SELECT min({column}) FROM audit_entry
        UNION ALL
        SELECT (SELECT min({column}) FROM audit_entry WHERE {column} > value)
        FROM hops WHERE value IS NOT NULL
    )
    SELECT value, (SELECT {label} FROM audit_entry WHERE {column} = value ORDER BY id DESC LIMIT 1)
    FROM hops WHERE value IS NOT NULL LIMIT {CHOICES}"""  # noqa: S608  names from the code
    with connection.cursor() as cursor:
        cursor.execute(hops)
        return [(str(value), shown) for value, shown in cursor.fetchall()]


class ActFilter(admin.SimpleListFilter):
    title = "act"
    parameter_name = "act"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return _distinct("act", "act")

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        return queryset.filter(act=self.value()) if self.value() else queryset


class ActorFilter(admin.SimpleListFilter):
    """Shows the latest name of each actor."""

    title = "who"
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return sorted(_distinct("actor_id", "actor_name"), key=lambda choice: choice[1])

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        value = self.value()
        if not value:
            return queryset
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise IncorrectLookupParameters
        return queryset.filter(actor_id=int(value))


class DateFilter(admin.ListFilter):
    """From one day until another, both inclusive, in UTC."""

    title = "date"
    parameter_names = ("from", "until")
    template = "admin/audit/entry/dates.html"
    #: Clocks of several machines differ, so a row may be this many rows away from the order of times.
    SLACK = 1000

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: admin.ModelAdmin,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.days: dict[str, str] = {name: params.pop(name, [""])[-1] for name in self.parameter_names}

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameter_names)

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Mapping[str, object]]:
        today = datetime.now(UTC).date()
        spans = {"Any date": "", "Today": str(today), "Past 7 days": str(today - timedelta(days=6))}
        links = [
            {
                "display": display,
                "query_string": changelist.get_query_string(
                    {"from": start} if start else {}, ["from", "until", "p"]
                ),
                "selected": self.days == {"from": start, "until": ""},
            }
            for display, start in spans.items()
        ]
        kept = [(name, value) for name, value in changelist.params.items() if name not in self.days]
        if changelist.query:
            kept.append(("q", changelist.query))
        yield {"links": links, "kept": kept, "days": self.days}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        # Also by id: by time alone the database may scan from the newest row back to an old date.
        start, end = self._midnight("from"), self._midnight("until")
        if start:
            first = _first_since(start)
            if first is None:
                return queryset.none()
            queryset = queryset.filter(created_at__gte=start, pk__gte=first - self.SLACK)
        if end and end.year < 9999:
            end += timedelta(days=1)
            queryset = queryset.filter(created_at__lt=end)
            beyond = _first_since(end)
            if beyond is not None:
                queryset = queryset.filter(pk__lt=beyond + self.SLACK)
        return queryset

    def _midnight(self, name: str) -> datetime | None:
        text = self.days[name]
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise IncorrectLookupParameters from error
        return datetime.combine(day, time(), UTC)


def _first_since(moment: datetime) -> int | None:
    times = Entry.objects.filter(created_at__gte=moment).order_by("created_at", "pk")
    first: int | None = times.values_list("pk", flat=True).first()
    return first
