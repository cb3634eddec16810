from django_filters import rest_framework as filters

from aimessage.api.lists.filters import ListFilterSet
from reports.models import Report


class ReportFilter(ListFilterSet):
    status = filters.ChoiceFilter(choices=Report.Status.choices, label="With this status.")
    status_filter = filters.ChoiceFilter(
        field_name="status", choices=Report.Status.choices, label="The same, by its former name."
    )

    class Meta:
        model = Report
        fields: list[str] = []
