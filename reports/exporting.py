"""What an account's export contains from reports."""

from django.db.models import F

from accounts.models import User
from accounts.services import exporting
from accounts.services.exporting import Rows, by_id
from reports.models import Report
from reports.serializers import EXAMPLE_REPORT


def reports(user: User) -> Rows:
    # In the shape of GET /reports.
    names = {"reporter_username": F("reporter__username"), "resolver_username": F("resolved_by__username")}
    columns = [name for name in EXAMPLE_REPORT if name not in names]
    return by_id(Report.objects.filter(reporter=user).values(*columns, **names))


exporting.sources["reports.json"] = reports
