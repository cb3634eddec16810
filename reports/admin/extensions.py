"""What higher rooms add to the page of a report."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

from reports.models import Report


@dataclass(frozen=True)
class ReportPanel:
    """A part of a report's page. It is not loaded for a moderator whom the report is about."""

    title: str
    template: str
    #: What the template is given besides `original`, the report; None where there is nothing to show.
    load: Callable[[HttpRequest, Report], dict[str, object] | None]


panels: list[ReportPanel] = []
