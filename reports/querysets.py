from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, IntegerField, Q, Value, When

from accounts.models import User
from aimessage.db.compiled import Param

if TYPE_CHECKING:
    from reports.models import Report

#: Open reports, then those in progress, then the resolved.
QUEUE = Case(
    When(status="open", then=Value(0)),
    When(status="in_progress", then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)


class ReportQuerySet(models.QuerySet["Report"]):
    def filed_by(self, user: User | Param) -> "ReportQuerySet":
        # Served by report_reporter.
        return self.filter(reporter=user)

    def visible_to(self, user: User) -> "ReportQuerySet":
        return self.readable_by_superuser(user) if user.is_superuser else self.filed_by(user)

    def readable_by_superuser(self, user: User | Param) -> "ReportQuerySet":
        # Without those about `user`, which would reveal who filed them.
        about = Q(message_sender__isnull=False, message_sender=user)
        return self.filter(Q(reporter=user) | ~about)

    def not_involving(self, user: User) -> "ReportQuerySet":
        return self.exclude(reporter=user).exclude(message_sender=user)

    def not_about(self, user: User) -> "ReportQuerySet":
        return self.exclude(message_sender=user)

    def with_names(self) -> "ReportQuerySet":
        return self.select_related("reporter", "resolved_by")

    def unresolved(self) -> "ReportQuerySet":
        # Served by report_status.
        return self.filter(status__in=["open", "in_progress"])

    def next_in_queue(self) -> "Report | None":
        # Served by report_status.
        return self.filter(status="open").order_by("pk").first()
