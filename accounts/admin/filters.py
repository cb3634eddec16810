"""Filters of the admin's lists. None of them counts rows, and each has an index."""

from datetime import timedelta

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.guesses import locked_users
from accounts.models import FailedLogin, Session, User
from aimessage.db.ids import first_id, is_id

#: Roles that the filter offers.
ROLES_SHOWN = 100
LOGINS = {"day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=30)}
#: An account without a login for so long counts as abandoned.
LEFT = timedelta(days=90)
FAILURES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


class RoleFilter(SimpleListFilter):
    """A subquery: Django's own filter joins, and then must sort all users to remove duplicates."""

    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        roles = Group.objects.order_by("name").values_list("pk", "name")[:ROLES_SHOWN]
        return [(str(pk), name) for pk, name in roles]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        role = self.value() or ""
        if not is_id(role):
            return queryset
        held = User.groups.through.objects.filter(group=int(role))
        return queryset.filter(pk__in=held.order_by().values("user"))


class LastLoginFilter(SimpleListFilter):
    title = "last login"
    parameter_name = "last_login"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [
            ("day", "In 24 hours"),
            ("week", "In 7 days"),
            ("month", "In 30 days"),
            ("left", f"Over {LEFT.days} days ago"),
            ("never", "Never"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        value, now = self.value() or "", timezone.now()
        if value in LOGINS:
            return queryset.filter(last_login__gte=now - LOGINS[value])
        if value == "left":
            return queryset.filter(last_login__lt=now - LEFT)
        return queryset.filter(last_login=None) if value == "never" else queryset


class LockedOutFilter(SimpleListFilter):
    title = "lockout"
    parameter_name = "locked"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("out", "Locked out now")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(pk__in=locked_users()) if self.value() == "out" else queryset


class LiveFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("live", "Live"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        match self.value():
            case "live":
                return queryset & Session.objects.live()
            case "ended":
                return queryset.filter(Q(is_active=False) | Q(expires_at__lte=timezone.now()))
        return queryset


class FailedSinceFilter(SimpleListFilter):
    title = "time"
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("hour", "In an hour"), ("day", "In 24 hours"), ("week", "In 7 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[FailedLogin]) -> QuerySet[FailedLogin]:
        age = FAILURES.get(self.value() or "")
        if age is None:
            return queryset
        since = timezone.now() - age
        # There is no index on the time, but ids grow with it.
        first = first_id(FailedLogin, "attempt_time", since)
        return queryset.filter(pk__gte=first, attempt_time__gte=since)
