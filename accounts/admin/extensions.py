"""Lists through which other apps extend the admin's pages about users.

Imports run reports -> messaging -> accounts, so accounts cannot import the others. They add to the lists in
their own `admin` modules, which Django loads after this one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts.models import User
from aimessage.backoffice.lists import COUNT_LIMIT, count_up_to


@dataclass(frozen=True)
class Panel:
    """A part of a user's page."""

    title: str
    template: str
    #: Returns the template's context besides `original`, the user; None if the viewer may not see the panel.
    load: Callable[[HttpRequest, User], dict[str, object] | None]


@dataclass(frozen=True)
class DeletionSummary:
    """What a deletion removes and what it leaves, as lines without a full stop."""

    goes: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    def __add__(self, other: "DeletionSummary") -> "DeletionSummary":
        return DeletionSummary(self.goes + other.goes, self.stays + other.stays)


#: In the order in which a user's page shows them.
panels: list[Panel] = []
#: Filters of the list of users. They must not count rows, nor read more than the page shows.
filters: list[type[SimpleListFilter]] = []
#: Each gets the ids of the users to be deleted, and summarizes its app's data about them.
deletion_summaries: list[Callable[[list[int]], DeletionSummary]] = []


def lines(rows: QuerySet[Model], one: str, many: str, rest: str) -> list[str]:
    """One line for a DeletionSummary, as `3 reports filed`, or no line if there are no rows."""
    count = counted(rows, one, many)
    return [] if count.startswith("0 ") else [f"{count}{rest}"]


def counted(rows: QuerySet[Model], one: str, many: str) -> str:
    # Reads at most COUNT_LIMIT + 1 rows.
    count = count_up_to(rows, COUNT_LIMIT + 1)
    if count > COUNT_LIMIT:
        return f"more than {COUNT_LIMIT:,} {many}"
    return f"{count:,} {one if count == 1 else many}"
