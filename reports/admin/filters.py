"""What the queue is filtered by."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

AGES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


class AgeFilter(SimpleListFilter):
    title = "age"
    parameter_name = "older"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("hour", "Over an hour"), ("day", "Over a day"), ("week", "Over a week")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        age = AGES.get(self.value() or "")
        return queryset if age is None else queryset.filter(created_at__lt=timezone.now() - age)


class AboutFilter(SimpleListFilter):
    title = "message"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("message", "About a message"), ("nothing", "About none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "message":
                return queryset.filter(message_content__isnull=False)
            case "nothing":
                return queryset.filter(message_content__isnull=True)
        return queryset


class AssignedFilter(SimpleListFilter):
    title = "who works on it"
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("me", "I do"), ("others", "Others"), ("nobody", "Nobody")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "me":
                return queryset.filter(assigned_to=request.user.pk)
            case "others":
                return queryset.filter(assigned_to__isnull=False).exclude(assigned_to=request.user.pk)
            case "nobody":
                return queryset.filter(assigned_to__isnull=True)
        return queryset
