"""Checks whether mails go out."""

import smtplib
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone

from aimessage.mail.jobs import in_short
from aimessage.mail.kinds import Draft
from aimessage.mail.models import Mail
from aimessage.mail.sending import send
from aimessage.models import ThrottleWindow
from operations.maintenance.doctor.configuration import public_hosts
from operations.maintenance.doctor.findings import Finding, error, ok, warning

#: The limits of mails: the throttle, its variable, and what it counts.
LIMITS = [
    ("mail_address", "AI_MESSAGE_MAIL_PER_ADDRESS", "address(es)"),
    ("mail", "AI_MESSAGE_THROTTLE_MAIL", "client(s)"),
]


def configured() -> Finding:
    if not settings.MAIL_ON:
        return ok("off: nobody can reset a forgotten password")
    if not settings.MAIL_LEAVES:
        if not public_hosts():
            return ok("mails stay on this machine")
        return warning(
            "Mails stay on this machine: nobody gets one.",
            "Set AI_MESSAGE_MAIL_URL=smtp://user:password@host:587, or off.",
        )
    if not settings.PUBLIC_URL.startswith("https://"):
        return warning(
            f"Links in mails lead to {settings.PUBLIC_URL}, without encryption.",
            "Set AI_MESSAGE_PUBLIC_URL=https://…",
        )
    return ok(f"from {settings.MAIL_FROM}, links lead to {settings.PUBLIC_URL}")


def sends(address: str) -> Finding:
    # Past the outbox, so that an error shows at once.
    try:
        validate_email(address)
    except ValidationError:
        return error("--mail names no e-mail address.", "Write it as --mail you@example.org")
    if not settings.MAIL_ON:
        return error("AI_MESSAGE_MAIL_URL is off.", "Set it, and try again.")
    try:
        send(Mail(kind="test"), Draft(address))
    except (smtplib.SMTPException, OSError, ValueError) as failure:
        return error(
            f"The mail did not go out: {in_short(failure)}.",
            "See to AI_MESSAGE_MAIL_URL, and whether this machine may connect to the server.",
        )
    return ok("the mail server took it: see whether it arrives, and not as spam")


def going_out() -> Finding:
    failed = Mail.objects.filter(state=Mail.State.FAILED, created_at__gt=timezone.now() - timedelta(days=1))
    if newest := failed.first():
        return warning(
            f"{failed.count()} mail(s) of the last day did not go out. The last: {newest.error}",
            "manage.py doctor --mail you@example.org tries the mail server.",
        )
    for scope, variable, whose in LIMITS:
        if over := _count_past_limit(scope):
            return warning(
                f"{variable} holds mails back: {over} {whose} asked for more.",
                f"If that is no attack, raise {variable}.",
            )
    return ok("none failed, and none is held back")


def _count_past_limit(scope: str) -> int:
    rate = settings.THROTTLE_RATES[scope]
    if rate is None:
        return 0
    windows = ThrottleWindow.objects.filter(
        key__startswith=f"{scope}:", ends_at__gt=timezone.now().timestamp()
    )
    return windows.filter(count__gt=rate[0]).count()
