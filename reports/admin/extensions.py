"""Panels that higher rooms add to a report's page."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest

from reports.models import Report


@dataclass(frozen=True)
class ReportPanel:
    """A part of a report's page. It is not loaded if the report is about the moderator who looks at it."""

    title: str
    template: str
    #: Returns the template's context, besides `original`, the report; None if there is nothing to show.
    load: Callable[[HttpRequest, Report], dict[str, object] | None]


panels: list[ReportPanel] = []
