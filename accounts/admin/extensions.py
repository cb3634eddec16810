"""What other apps add to the pages about users.

Imports run reports -> messaging -> accounts, so that these pages cannot ask the others: each adds to the
lists below in its own `admin` module, which Django loads after this one.
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
    #: What the template is given besides `original`, the user; None where the panel is not for who asks.
    load: Callable[[HttpRequest, User], dict[str, object] | None]


@dataclass(frozen=True)
class DeletionSummary:
    """What a deletion takes along, and what it leaves, in sentences without a full stop."""

    goes: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    def __add__(self, other: "DeletionSummary") -> "DeletionSummary":
        return DeletionSummary(self.goes + other.goes, self.stays + other.stays)


#: In the order in which a user's page shows them.
panels: list[Panel] = []
#: Filters of the list of users. They must not count rows, or read more than they show.
filters: list[type[SimpleListFilter]] = []
#: What becomes of what these users have, given their ids.
deletion_summaries: list[Callable[[list[int]], DeletionSummary]] = []


def lines(rows: QuerySet[Model], one: str, many: str, rest: str) -> list[str]:
    """The line of a summary that says of so many rows what comes of them; of none there is nothing to say."""
    count = counted(rows, one, many)
    return [] if count.startswith("0 ") else [f"{count}{rest}"]


def counted(rows: QuerySet[Model], one: str, many: str) -> str:
    """As `3 reports`; with no more than COUNT_LIMIT rows read."""
    count = count_up_to(rows, COUNT_LIMIT + 1)
    if count > COUNT_LIMIT:
        return f"more than {COUNT_LIMIT:,} {many}"
    return f"{count:,} {one if count == 1 else many}"
