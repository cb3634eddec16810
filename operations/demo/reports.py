"""Writes the demo's reports, as moderators left them."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from django.db.models import Count, Max
from django.utils import timezone

from accounts.models import User
from messaging.models import Message
from operations.demo.batches import write_in_batches
from operations.demo.chance import HISTORY, HOUR, seeded, to_datetime
from operations.demo.complaints import KINDS, MATTERS, Offence
from operations.demo.messages import demo_messages
from operations.demo.people import ADMIN_EMAIL, MODERATOR_EMAIL, demo_people, last_day, ordinary_people
from operations.progress import Steps
from reports.models import Report

_OPEN, _TAKEN, _DONE = Report.Status.OPEN, Report.Status.IN_PROGRESS, Report.Status.RESOLVED
#: The states of every five reports, in the older half and in the newer half.
_OLDER = [_DONE, _DONE, _TAKEN, _DONE, _OPEN]
_NEWER = [_OPEN, _TAKEN, _OPEN, _DONE, _OPEN]
#: One report in seven is about no message, and one about a message that has been deleted.
_ABOUT = ["message", "message", "nothing", "message", "deleted", "message", "message"]


@dataclass(frozen=True)
class Cause:
    pk: int
    sender_id: int
    recipient_id: int
    content: str
    created_at: datetime


@dataclass
class Complaint:
    report: Report
    offence: Offence


def write_reports(size: int) -> Steps:
    """Adds reports until there are `size`, all newer than those that exist."""
    filed = Report.objects.filter(reporter__in=demo_people())
    present = filed.aggregate(count=Count("pk"), newest=Max("created_at"))
    missing = size - present["count"]
    if missing <= 0:
        return
    chance = seeded("reports", size, missing)
    people = {user.pk: user for user in ordinary_people()}
    floor = (present["newest"] or timezone.now() - HISTORY).timestamp()
    complaints = [
        complaint
        for number, cause in enumerate(_causes(missing, floor, people, chance))
        if (complaint := _complain(number, cause, floor, people, chance))
    ]
    complaints.sort(key=lambda complaint: complaint.report.created_at)
    moderators = list(demo_people().filter(email_key__in=[MODERATOR_EMAIL, ADMIN_EMAIL]).order_by("-pk"))
    now = timezone.now()
    showcase = _find_showcase(complaints)
    for number, complaint in enumerate(complaints):
        turn = _OLDER if number < len(complaints) / 2 else _NEWER
        status = turn[number % len(turn)]
        if number <= showcase:
            status = _OPEN if number == showcase else _DONE if status == _OPEN else status
        _moderate(complaint, status, moderators, now, chance)
    reports = [complaint.report for complaint in complaints]
    yield from write_in_batches(reports, _write, total=len(reports))


def _causes(wanted: int, floor: float, people: dict[int, User], chance: Random) -> list[Cause | None]:
    texts = demo_messages().filter(content__in=KINDS, deleted_by_recipient=False, reports__isnull=True)
    rows = texts.values_list("pk", "sender_id", "recipient_id", "content", "created_at")
    causes = [Cause(*row) for row in rows.order_by("pk")]
    causes = [cause for cause in causes if last_day(people[cause.recipient_id]) > floor]
    found: list[Cause | None] = [*chance.sample(causes, min(wanted, len(causes)))]
    found = [cause if _ABOUT[number % 7] != "nothing" else None for number, cause in enumerate(found)]
    return found + [None] * (wanted - len(found))


def _find_showcase(complaints: list[Complaint]) -> int:
    # The oldest open report, which people look at first, shall show messages around the reported one.
    for number, complaint in enumerate(complaints):
        message = complaint.report.message
        if message and Message.objects.filter(conversation=message.conversation_id).count() > 2:
            return number
    return -1


def _complain(
    number: int, cause: Cause | None, floor: float, people: dict[int, User], chance: Random
) -> Complaint | None:
    offence = KINDS[cause.content] if cause else chance.choice(MATTERS)
    reporter = people[cause.recipient_id] if cause else _anybody(floor, people, chance)
    if reporter is None:
        return None
    until = last_day(reporter)
    if cause:
        start = max(cause.created_at.timestamp(), floor)
        created = start + min(chance.expovariate(1 / (5 * HOUR)) + 60, (until - start) * 0.8)
    else:
        created = chance.uniform(max(reporter.created_at.timestamp(), floor), until)
    title, content = chance.choice(offence.reports)
    report = Report(reporter=reporter, title=title, content=content, created_at=to_datetime(created))
    if cause:
        report.message_id, report.message_content = cause.pk, cause.content
        report.message_sender_id = cause.sender_id
        if _ABOUT[number % 7] == "deleted":
            # The report keeps the text of a message that its sender deleted.
            report.message_id, report.message_content = None, chance.choice(offence.texts)
    return Complaint(report, offence)


def _anybody(floor: float, people: dict[int, User], chance: Random) -> User | None:
    there = [user for user in people.values() if last_day(user) > floor]
    return chance.choice(there) if there else None


def _moderate(
    complaint: Complaint, status: str, moderators: list[User], now: datetime, chance: Random
) -> None:
    report, offence = complaint.report, complaint.offence
    report.status = status
    if status == _OPEN:
        return
    hours = chance.uniform(0.5, 60) * HOUR
    worked = to_datetime(
        report.created_at.timestamp() + min(hours, (now - report.created_at).total_seconds() * 0.8)
    )
    report.updated_at = worked
    if chance.random() < 0.85:
        report.comment = chance.choice(offence.done if status == _DONE else offence.looking)
    if status == _TAKEN:
        report.assigned_to = chance.choice(moderators) if moderators else None
    if status == _DONE:
        report.resolved_at = worked
        # The moderator resolves three in four, the superuser the rest.
        report.resolved_by = moderators[chance.random() < 0.25] if len(moderators) == 2 else None


def _write(reports: list[Report]) -> None:
    worked = {id(report): report.updated_at for report in reports}
    Report.objects.bulk_create(reports)
    changed = [report for report in reports if report.status != _OPEN]
    for report in changed:
        report.updated_at = worked[id(report)]
    Report.objects.bulk_update(changed, ["updated_at"], batch_size=200)
