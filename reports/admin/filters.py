"""What the queue is filtered by."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

AGES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


class ConditionFilter(SimpleListFilter):
    """A filter of which each choice is one condition.

    Django counts what a choice would leave by `id IN (SELECT …)`, of which each reads the whole table.
    The conditions of one filter are counted here in one read.
    """

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.user_pk = request.user.pk
        super().__init__(request, *args)

    def condition(self, value: str) -> Q | None:
        """What the choice `value` leaves, None where there is no such choice."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        condition = self.condition(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)

    def get_facet_counts(self, pk_attname: str, filtered_qs: QuerySet[Any]) -> dict[str, Count]:
        values = [str(value) for value, _ in self.lookup_choices]
        return {
            f"{number}__c": Count(pk_attname, filter=self.condition(value))
            for number, value in enumerate(values)
        }


class AgeFilter(ConditionFilter):
    title = "age"
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("hour", "Over an hour"), ("day", "Over a day"), ("week", "Over a week")]

    def condition(self, value: str) -> Q | None:
        return Q(created_at__lt=timezone.now() - AGES[value]) if value in AGES else None


class AboutFilter(ConditionFilter):
    title = "message"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("message", "About a message"), ("nothing", "About none")]

    def condition(self, value: str) -> Q | None:
        about = {"message": False, "nothing": True}
        return Q(message_content__isnull=about[value]) if value in about else None


class AssignedFilter(ConditionFilter):
    title = "who works on it"
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("me", "I do"), ("others", "Others"), ("nobody", "Nobody")]

    def condition(self, value: str) -> Q | None:
        match value:
            case "me":
                return Q(assigned_to=self.user_pk)
            case "others":
                return Q(assigned_to__isnull=False) & ~Q(assigned_to=self.user_pk)
            case "nobody":
                return Q(assigned_to__isnull=True)
        return None
