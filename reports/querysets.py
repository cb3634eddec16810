from typing import Any

from django.db import models

from accounts.models import User


class ReportQuerySet(models.QuerySet[Any]):
    def filed_by(self, user: User) -> "ReportQuerySet":
        """Served by report_reporter."""
        return self.filter(reporter=user)

    def visible_to(self, user: User) -> "ReportQuerySet":
        return self.all() if user.is_superuser else self.filed_by(user)

    def with_names(self) -> "ReportQuerySet":
        """With the people whose usernames a report shows, in the same query."""
        return self.select_related("reporter", "resolved_by")
