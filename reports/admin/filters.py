"""Filters of the queue of reports."""

from datetime import timedelta

from django.contrib import admin
from django.contrib.admin import ChoicesFieldListFilter, ListFilter, SimpleListFilter
from django.contrib.admin.filters import FacetsMixin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from reports.models import Report

AGES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


class CountedTogether(FacetsMixin, ListFilter):
    """A filter that counts its facets in one query with the other filters of this class.

    Django counts a filter's choices in the list without that filter. While nothing is chosen in it, that is
    the list as shown, so one query counts the choices of all such filters.
    """

    def get_facet_queryset(self, changelist: ChangeList) -> dict[str, int]:
        if self.used_parameters:
            chosen: dict[str, int] = super().get_facet_queryset(changelist)
            return chosen
        counts = changelist.__dict__.get("_counted_together")
        if counts is None:
            counts = changelist.__dict__["_counted_together"] = self._count_all(changelist)
        own: dict[str, int] = counts[self._name]
        return own

    @property
    def _name(self) -> str:
        # A stable key: Django makes new filter objects whenever it filters the list.
        return "_".join(map(str, self.expected_parameters()))

    def _count_all(self, changelist: ChangeList) -> dict[str, dict[str, int]]:
        specs = [spec for spec in changelist.filter_specs if isinstance(spec, CountedTogether)]
        listed = changelist.get_queryset(self.request)
        wanted = {
            spec._name: spec.get_facet_counts(changelist.pk_attname, listed)
            for spec in specs
            if not spec.used_parameters
        }
        found = listed.aggregate(
            **{f"{name}_{key}": count for name, counts in wanted.items() for key, count in counts.items()}
        )
        return {name: {key: found[f"{name}_{key}"] for key in counts} for name, counts in wanted.items()}


class StatusFilter(CountedTogether, ChoicesFieldListFilter):
    pass


class ConditionFilter(CountedTogether, SimpleListFilter):
    """A filter in which each choice is one condition.

    Django counts each choice by `id IN (SELECT …)`, which reads the whole table each time. Conditions
    can be counted in one query.
    """

    def condition(self, value: str) -> Q | None:
        """The condition of the choice `value`, None if there is no such choice."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        condition = self.condition(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)

    def get_facet_counts(self, pk_attname: str, filtered_qs: QuerySet[Model]) -> dict[str, Count]:
        values = [str(value) for value, _ in self.lookup_choices]
        return {
            f"{number}__c": Count(pk_attname, filter=self.condition(value))
            for number, value in enumerate(values)
        }


class AgeFilter(ConditionFilter):
    title = "age"
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("hour", "Over an hour"), ("day", "Over a day"), ("week", "Over a week")]

    def condition(self, value: str) -> Q | None:
        return Q(created_at__lt=timezone.now() - AGES[value]) if value in AGES else None


class AboutFilter(ConditionFilter):
    title = "message"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("message", "About a message"), ("nothing", "About none")]

    def condition(self, value: str) -> Q | None:
        about = {"message": False, "nothing": True}
        return Q(message_content__isnull=about[value]) if value in about else None


class AssignedFilter(ConditionFilter):
    title = "who works on it"
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("me", "I do"), ("others", "Others"), ("nobody", "Nobody")]

    def condition(self, value: str) -> Q | None:
        match value:
            case "me":
                return Q(assigned_to=self.request.user.pk)
            case "others":
                return Q(assigned_to__isnull=False) & ~Q(assigned_to=self.request.user.pk)
            case "nobody":
                return Q(assigned_to__isnull=True)
        return None
