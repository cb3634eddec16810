"""Checks what an operator has to do, once or every day."""

from datetime import timedelta
from pathlib import Path

from django.contrib.auth.hashers import check_password
from django.contrib.sessions.models import Session as AdminSession
from django.utils import timezone

from accounts.models import RefreshToken, SecondFactor, User
from aimessage.jobs.gauges import oldest_due
from aimessage.jobs.locks import count_workers
from aimessage.seals import Unopened, unseal
from operations.demo.people import PASSWORD, demo_people
from operations.maintenance.backup.writing import dated_backups
from operations.maintenance.doctor.configuration import public_hosts
from operations.maintenance.doctor.findings import Finding, error, ok, warning

#: A nightly timer may be missed once.
OVERDUE = timedelta(days=2)
#: By then, a job that is due should have begun.
LATE = timedelta(minutes=5)
NIGHTLY = "docs/backup.md has a timer for every night."


def superuser() -> Finding:
    if not User.objects.superusers().exists():
        return warning("Nobody can do everything in the admin.", "manage.py createsuperuser")
    return ok(f"{User.objects.superusers().count()} active")


def demo_accounts() -> Finding:
    superusers = demo_people().filter(is_superuser=True, is_active=True)
    if not any(check_password(PASSWORD, user.password) for user in superusers):
        return ok("no superuser with the demo's password")
    found = "A superuser has the password of `make demo`, which everybody can look up."
    advice = "Use another database, or delete the demo's accounts."
    return error(found, advice) if public_hosts() else warning(found, advice)


def sealed_secrets() -> Finding:
    # The oldest and the newest: after a change of keys they are sealed by different ones.
    factors = SecondFactor.objects.order_by("pk")
    for factor in filter(None, (factors.first(), factors.last())):
        try:
            unseal(factor.secret)
        except Unopened:
            return error(
                "No key of AI_MESSAGE_ENCRYPTION_KEYS opens a stored secret: its owner cannot log in.",
                "Put the former key back, behind the new one, and run manage.py reseal.",
            )
    return ok("the keys open them")


def swept() -> Finding:
    before = timezone.now() - OVERDUE
    old = RefreshToken.objects.filter(expires_at__lt=before).exists()
    if old or AdminSession.objects.filter(expire_date__lt=before).exists():
        return warning(
            f"Tokens or logins that expired more than {OVERDUE.days} days ago are still there.",
            f"manage.py sweep; {NIGHTLY}",
        )
    return ok("nothing that expired lies about")


def jobs() -> Finding:
    workers, oldest = count_workers(), oldest_due()
    advice = "systemctl status aimessage-jobs, or AI_MESSAGE_JOBS; docs/operations.md, Jobs."
    if not workers:
        return warning("Nobody runs jobs: no mail is sent, and nothing that expired is deleted.", advice)
    if oldest and (since := timezone.now() - min(oldest.values())) > LATE:
        queue = min(oldest, key=lambda name: oldest[name])
        minutes = since.total_seconds() / 60
        return warning(f"A job of the queue {queue} has been due for {minutes:.0f} minutes.", advice)
    return ok(f"{workers} worker(s)")


def backups(folder: Path) -> Finding:
    if not folder.is_dir():
        return warning(f"There are no backups in {folder}.", f"{NIGHTLY} Another folder: --backups")
    newest = max(dated_backups(folder), default=None, key=lambda path: path.name)
    if newest is None:
        return warning(f"There are no backups in {folder}.", f"manage.py backup {folder}; {NIGHTLY}")
    age = timezone.now().timestamp() - newest.stat().st_mtime
    found = f"The newest is {age / 3600:.0f} hours old: {newest}"
    if age > OVERDUE.total_seconds():
        return warning(found, "journalctl -u aimessage-backup says why there is none since.")
    return ok(found)
