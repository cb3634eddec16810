"""Writes failed logins, lockouts, and the audit trail of what moderators did."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from django.conf import settings
from django.utils import timezone

from accounts.guesses import digest_of
from accounts.models import FailedLogin, User
from aimessage.audit.models import Entry
from aimessage.audit.services import append_entries
from aimessage.server.clients import client_network
from operations.demo.batches import write_in_batches
from operations.demo.chance import seeded, to_datetime
from operations.demo.people import ADMIN_EMAIL, MODERATOR_EMAIL, demo_people, last_day, ordinary_people
from operations.demo.sessions import any_address, any_device
from operations.progress import Steps
from reports.models import Report

#: Failures are kept for 30 days, and nobody is still locked out when the demo begins.
OLDEST, NEWEST = timedelta(days=29), timedelta(hours=3)
#: Every second person mistypes their password, and every fifth of these until they are locked out.
PEOPLE_PER_FAILURE, FAILURES_PER_LOCKOUT = 2, 5
#: Usernames that a stranger tries and nobody has.
UNKNOWN_NAMES = 9
#: Seconds between two tries.
PAUSE = 20.0


def write_failures() -> Steps:
    if FailedLogin.objects.filter(user__in=demo_people()).exists():
        return
    now = timezone.now()
    failures = [failure for tries in _tries(now) for failure in tries]
    failures.sort(key=lambda failure: failure.attempt_time)
    yield from write_in_batches(failures, _write_failures, total=len(failures))


def _write_failures(failures: list[FailedLogin]) -> None:
    FailedLogin.objects.bulk_create(failures)


def _tries(now: datetime) -> Iterator[list[FailedLogin]]:
    limit = settings.LOCKOUT_FAILURES
    for number, user in enumerate(ordinary_people().filter(is_active=True)[::PEOPLE_PER_FAILURE]):
        chance = seeded("failures", user.email)
        locks = bool(limit) and number % FAILURES_PER_LOCKOUT == 0
        yield _guesses(user, user.username, limit if locks else chance.choice([1, 1, 2, 3]), now, chance)
    chance = seeded("unknown names")
    for number in range(UNKNOWN_NAMES):
        yield _guesses(None, f"unknown {number}", 1, now, chance)


def _guesses(user: User | None, name: str, count: int, now: datetime, chance: Random) -> list[FailedLogin]:
    since = max(now - OLDEST, user.created_at) if user else now - OLDEST
    start = since + (now - NEWEST - since) * chance.random() if since < now - NEWEST else since
    address = any_address(chance)
    device = any_device(chance)
    return [
        FailedLogin(
            user=user,
            name_digest=digest_of(name),
            client=client_network(address),
            ip_address=address,
            user_agent=device,
            path_info="/auth/login",
            attempt_time=start + timedelta(seconds=PAUSE * number),
            locked_out=number + 1 == settings.LOCKOUT_FAILURES,
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Act:
    """A row of the audit trail before it is written."""

    at: datetime
    actor: User
    act: str
    sentence: str
    target: User | Report | None = None
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)


def write_trail() -> Steps:
    if Entry.objects.exists():
        return
    staff = {user.email: user for user in demo_people().filter(email_key__in=[ADMIN_EMAIL, MODERATOR_EMAIL])}
    if len(staff) < 2:
        return
    admin, moderator = staff[ADMIN_EMAIL], staff[MODERATOR_EMAIL]
    acts = [*_reports_worked(), *_people_shut_out(admin)]
    acts += [_login(act, chance=seeded("login", act.at.day)) for act in _first_of_each_day(acts)]
    acts.append(_role_given(admin, moderator))
    acts.sort(key=lambda act: act.at)
    yield from write_in_batches(acts, _write_trail, total=len(acts))


def _reports_worked() -> Iterator[Act]:
    reports = Report.objects.filter(reporter__in=demo_people()).select_related("assigned_to", "resolved_by")
    for report in reports.exclude(status=Report.Status.OPEN):
        if report.resolved_by:
            before, after = {"status": "open"}, {"status": "resolved", "comment": report.comment}
            yield Act(
                report.updated_at, report.resolved_by, "report.resolved", "Resolved.", report, before, after
            )
        elif report.assigned_to:
            before, after = {"status": "open"}, {"status": "in_progress"}
            yield Act(
                report.updated_at, report.assigned_to, "report.claimed", "Claimed.", report, before, after
            )


def _people_shut_out(admin: User) -> Iterator[Act]:
    for user in ordinary_people().filter(is_active=False):
        at = to_datetime(last_day(user))
        yield Act(at, admin, "user.disabled", "Disabled.", user, {"is_active": True}, {"is_active": False})


def _first_of_each_day(acts: list[Act]) -> list[Act]:
    first: dict[tuple[int, object], Act] = {}
    for act in sorted(acts, key=lambda act: act.at):
        first.setdefault((act.actor.pk, act.at.date()), act)
    return list(first.values())


def _login(act: Act, chance: Random) -> Act:
    return Act(act.at - timedelta(minutes=chance.uniform(1, 20)), act.actor, "admin.login", "Logged in.")


def _role_given(admin: User, moderator: User) -> Act:
    at = max(admin.created_at, moderator.created_at)
    return Act(at, admin, "user.role_given", "Given the role moderator.", moderator)


def _write_trail(acts: list[Act]) -> None:
    append_entries([_entry(act) for act in acts])


def _entry(act: Act) -> Entry:
    entry = Entry(
        created_at=act.at,
        actor_id=act.actor.pk,
        actor_name=act.actor.username,
        act=act.act,
        sentence=act.sentence,
        address=any_address(seeded("address", act.actor.email)),
        request_id=f"demo-{act.at:%Y%m%d%H%M%S}",
        before=act.before,
        after=act.after,
    )
    if act.target is not None:
        entry.target_kind = act.target._meta.label_lower
        entry.target_id = str(act.target.pk)
        entry.target_label = str(act.target)
    return entry
