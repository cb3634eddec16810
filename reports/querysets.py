from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, IntegerField, Q, Value, When

from accounts.models import User
from aimessage.db.compiled import Param

if TYPE_CHECKING:
    from reports.models import Report

#: Oldest open first, then what is in progress, then what is done.
QUEUE = Case(
    When(status="open", then=Value(0)),
    When(status="in_progress", then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


class ReportQuerySet(models.QuerySet["Report"]):
    def filed_by(self, user: User | Param) -> "ReportQuerySet":
        """Served by report_reporter."""
        return self.filter(reporter=user)

    def visible_to(self, user: User) -> "ReportQuerySet":
        return self.readable_by_superuser(user) if user.is_superuser else self.filed_by(user)

    def readable_by_superuser(self, user: User | Param) -> "ReportQuerySet":
        """All but those about `user`, which would tell who filed them."""
        about = Q(message_sender__isnull=False, message_sender=user)
        return self.filter(Q(reporter=user) | ~about)

    def not_involving(self, user: User) -> "ReportQuerySet":
        """Those that `user` neither filed nor is the subject of, and so may work."""
        return self.exclude(reporter=user).exclude(message_sender=user)

    def not_about(self, user: User) -> "ReportQuerySet":
        return self.exclude(message_sender=user)

    def with_names(self) -> "ReportQuerySet":
        """With the people that a report names, in the same query."""
        return self.select_related("reporter", "resolved_by")

    def unresolved(self) -> "ReportQuerySet":
        """Served by report_status."""
        return self.filter(status__in=["open", "in_progress"])

    def next_in_queue(self) -> "Report | None":
        """The report that has been open for longest, None where none is. Served by report_status."""
        return self.filter(status="open").order_by("pk").first()
