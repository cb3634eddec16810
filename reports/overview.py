"""What a moderator sees of one report: the conversation around the message, and its two people.

People are shown by their names and their record, without e-mail address and phone number.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import Session, User
from messaging.models import Block
from reports.context import Said, context_of
from reports.models import Report


@dataclass(frozen=True)
class Standing:
    """A user's record in counts. All reports by one reporter about another user count once."""

    id: int
    username: str
    created_at: datetime
    is_active: bool
    is_staff: bool
    is_superuser: bool
    filed: int
    received: int
    received_resolved: int
    live_sessions: int
    blocks_received: int

    @property
    def age(self) -> timedelta:
        return timezone.now() - self.created_at


@dataclass(frozen=True)
class Overview:
    report: Report
    reporter: Standing | None
    sender: Standing | None
    #: Oldest first; empty where the report is about no message.
    conversation: list[Said]

    @property
    def is_about_message(self) -> bool:
        return self.report.message_content is not None


def overview_of(report: Report) -> Overview:
    people = standing_of([report.reporter_id, report.message_sender_id])
    return Overview(
        report=report,
        reporter=people.get(report.reporter_id),
        sender=people.get(report.message_sender_id),
        conversation=context_of(report),
    )


def standing_of(pks: list[int | None]) -> dict[int | None, Standing]:
    # One query; an index that begins with the user serves each count.
    received = Report.objects.filter(message_sender=OuterRef("pk"))
    people = User.objects.filter(pk__in=[pk for pk in pks if pk is not None]).values(
        "id",
        "username",
        "created_at",
        "is_active",
        "is_staff",
        "is_superuser",
        filed=_count(Report.objects.filter(reporter=OuterRef("pk")), "reporter"),
        received=_count(received, "message_sender", _REPORTERS),
        received_resolved=_count(
            received.filter(status=Report.Status.RESOLVED), "message_sender", _REPORTERS
        ),
        live_sessions=_count(Session.objects.live().filter(user=OuterRef("pk")), "user"),
        blocks_received=_count(Block.objects.filter(blocked=OuterRef("pk")), "blocked"),
    )
    return {row["id"]: Standing(**row) for row in people}


#: All deleted reporters count as one, because nothing tells them apart.
_REPORTERS = Count(Coalesce("reporter", 0), distinct=True)


def _count(rows: QuerySet[Model], whose: str, what: Count | None = None) -> Coalesce:
    # `rows` belong to one user, so grouping by that column gives one row.
    count = rows.order_by().values(whose).annotate(count=what or Count("pk")).values("count")
    return Coalesce(Subquery(count), 0)
