from django_filters import rest_framework as filters

from aimessage.filtering import ListFilterSet
from reports.models import Report


class ReportFilter(ListFilterSet):
    # A user's reports in their order are walked along, unless next to none has the status.
    planned_by_value = frozenset({"status", "status_filter"})

    status = filters.ChoiceFilter(choices=Report.Status.choices, label="With this status.")
    status_filter = filters.ChoiceFilter(
        field_name="status", choices=Report.Status.choices, label="The same, by its former name."
    )

    class Meta:
        model = Report
        fields: list[str] = []
