"""A circuit breaker: pauses calls to a provider that keeps failing or refuses us, and then probes it."""

import logging
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from assistant.models import Profile

#: Failures in a row, over all users, that start a pause.
MOST_FAILURES = 5
PAUSE = timedelta(seconds=30)
#: The pause after a refusal, and while one call probes the provider.
REFUSED_PAUSE = PROBE = timedelta(seconds=60)

logger = logging.getLogger("aimessage.assistant")


def wait_until(profile: Profile) -> datetime | None:
    """Returns when to call; None means now. After a pause one call probes the provider, and others wait."""
    now, until = timezone.now(), profile.paused_until
    if until is None:
        return None
    if until > now:
        return until
    probes = Profile.objects.filter(pk=profile.pk, paused_until=until).update(paused_until=now + PROBE)
    return None if probes else now + PROBE


def note_success(profile: Profile) -> None:
    unwell = Profile.objects.filter(pk=profile.pk).exclude(failures_in_a_row=0, trouble="", paused_until=None)
    if unwell.update(failures_in_a_row=0, paused_until=None, trouble="", trouble_at=None):
        logger.info("The provider answers again")


def note_failure(profile: Profile) -> None:
    same = Profile.objects.filter(pk=profile.pk)
    same.update(failures_in_a_row=F("failures_in_a_row") + 1)
    many = same.filter(failures_in_a_row__gte=MOST_FAILURES)
    if many.update(paused_until=timezone.now() + PAUSE):
        logger.warning("The provider keeps failing, and is left alone for %.0f s", PAUSE.total_seconds())


def note_refusal(profile: Profile, reason: str) -> None:
    now = timezone.now()
    Profile.objects.filter(pk=profile.pk).update(
        trouble=reason, trouble_at=now, paused_until=now + REFUSED_PAUSE
    )
    logger.error("The provider refuses to serve this installation: %s", reason)
