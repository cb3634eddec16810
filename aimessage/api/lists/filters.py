"""Filters whose SQL a list keeps, whatever is looked for (aimessage/api/lists/listing.py)."""

from functools import cache
from itertools import islice
from typing import Any, NamedTuple, cast

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters.constants import EMPTY_VALUES
from django_filters.rest_framework import FilterSet
from django_filters.utils import translate_validation

from aimessage.db.compiled import Row


class Filters(NamedTuple):
    """Which filters there are, and all that they may look at: SQL follows from it."""

    filterset: "type[ListFilterSet]"
    #: By filter, True or False where that is its value, how many values it has, or None for a single one.
    kinds: tuple[tuple[str, bool | int | None], ...]

    @property
    def width(self) -> int:
        """How many values there are."""
        return sum(1 if kind is None else kind for _, kind in self.kinds if not isinstance(kind, bool))

    @property
    def planned_by_value(self) -> bool:
        return not all(name in self.filterset.planned_once for name, _ in self.kinds)

    def narrow(self, querysets: list[QuerySet[Any, Any]], user: Any, values: Row) -> list[QuerySet[Any, Any]]:
        """The querysets, filtered by these values for that user."""
        filterset = self.filterset()
        filterset.user = user
        remaining = iter(values)
        for name, kind in self.kinds:
            value: Any = kind
            if kind is None:
                value = next(remaining)
            elif not isinstance(kind, bool):
                value = tuple(islice(remaining, kind))
            querysets = [filterset.filters[name].filter(queryset, value) for queryset in querysets]
        return querysets


class Narrowing(NamedTuple):
    """What a request's filters come to; `filters` gives the SQL, both together the rows."""

    filters: Filters
    values: Row


class ListFilterSet(FilterSet):
    """A filter set each of whose filters is a function of the queryset, `self.user` and its value alone.

    Where SQL is made there is no request. The user is a stand-in then, which only its primary key can be
    asked of, and so are all values but True and False (aimessage/db/compiled.py). Several values are a tuple.
    """

    #: Filters for which one plan is the best whatever the values. With others PostgreSQL plans each time.
    planned_once: frozenset[str] = frozenset()
    user: Any = None

    @classmethod
    def read(cls, query: QueryDict, user: Any = None) -> Narrowing | None:
        """What the query parameters ask for, None where that is everything; raises ValidationError."""
        if query.keys().isdisjoint(cls.base_filters):
            return None
        form = cls._kept_form_class()(query)
        if not form.is_valid():
            raise translate_validation(form.errors)
        kinds: list[tuple[str, bool | int | None]] = []
        values: list[Any] = []
        for name, value in cls.settle(form.cleaned_data, user).items():
            if value in EMPTY_VALUES:
                continue
            if isinstance(value, bool):
                kinds.append((name, value))
            elif isinstance(value, tuple):
                kinds.append((name, len(value)))
                values += value
            else:
                kinds.append((name, None))
                values.append(value)
        return Narrowing(Filters(cls, tuple(kinds)), tuple(values)) if kinds else None

    @classmethod
    def settle(cls, values: dict[str, Any], user: Any) -> dict[str, Any]:
        """For filters whose values mean something else by who asks."""
        return values

    @classmethod
    @cache
    def _kept_form_class(cls) -> type[forms.Form]:
        return cast(type[forms.Form], cls().get_form_class())
