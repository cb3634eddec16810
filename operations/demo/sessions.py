"""Writes the sessions of the demo's people, with made-up devices and addresses."""

import secrets
from collections.abc import Iterator
from random import Random

from django.db.models import F, Max, OuterRef, Subquery
from django.utils import timezone

from accounts.models import Session, User
from accounts.services.sessions import SESSION_TOKEN_BYTES
from operations.demo.batches import write_in_batches
from operations.demo.chance import HISTORY, HOUR, seeded, to_datetime
from operations.demo.people import demo_people, last_day
from operations.progress import Steps

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_DEVICES = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/141.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_APPLE} Version/18.5 Safari/605.1.15",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_APPLE} Mobile/15E148",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_WEBKIT} Chrome/141.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; SM-S921B) {_WEBKIT} Chrome/140.0 Mobile Safari/537.36",
    "AI Messaging for Android 2.4.1 (Fairphone 5)",
    "AI Messaging for iOS 2.4.0 (iPad Air)",
]
#: Reserved for documentation (RFC 5737, RFC 3849).
_NETWORKS = ["192.0.2.{}", "198.51.100.{}", "203.0.113.{}", "2001:db8:6a::{:x}"]


def write_sessions() -> Steps:
    newest = Session.objects.filter(user__in=demo_people()).aggregate(at=Max("created_at"))["at"]
    floor = newest or timezone.now() - HISTORY
    people = demo_people().filter(sessions__isnull=True).order_by("pk")
    logins = [login for user in people for login in _logins(user, floor.timestamp())]
    logins.sort(key=lambda session: session.created_at)
    yield from write_in_batches(logins, _write, total=len(logins))


def _write(sessions: list[Session]) -> None:
    rows = Session.objects.bulk_create(sessions)
    # A refresh sets both.
    saved = Session.objects.filter(pk__in=[row.pk for row in rows])
    saved.update(updated_at=F("last_used_at"))
    latest = Session.objects.filter(user=OuterRef("pk")).order_by("-created_at").values("created_at")[:1]
    never = User.objects.filter(pk__in={row.user_id for row in rows}, last_login=None)
    never.update(last_login=Subquery(latest))


def _logins(user: User, floor: float) -> Iterator[Session]:
    chance = seeded("sessions", user.email)
    start, end = max(user.created_at.timestamp(), floor), last_day(user)
    if start >= end:
        return
    for number in range(chance.choice([1, 1, 2, 2, 3])):
        created = chance.uniform(start, end)
        # The first session is in use; others were left or ended at any time.
        used = (
            max(created, end - chance.uniform(0, 72 * HOUR)) if number == 0 else chance.uniform(created, end)
        )
        session = Session(
            user=user,
            session_token=secrets.token_hex(SESSION_TOKEN_BYTES),
            device_info=any_device(chance),
            ip_address=any_address(chance),
            is_active=user.is_active and (number == 0 or chance.random() < 0.5),
            created_at=to_datetime(created),
            last_used_at=to_datetime(used),
        )
        session.expires_at = session.next_expiry(session.last_used_at)
        yield session


def any_device(chance: Random) -> str:
    return chance.choice(_DEVICES)


def any_address(chance: Random) -> str:
    return chance.choice(_NETWORKS).format(chance.randint(1, 254))
