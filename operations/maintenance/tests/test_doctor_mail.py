"""What the doctor says of mails."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from aimessage.mail.models import Mail
from operations.maintenance.doctor import mailing
from operations.maintenance.doctor.findings import Level
from operations.maintenance.tests.doctor_states import LOCAL, PUBLIC, check

OK, WARNING = Level.OK, Level.WARNING


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({"MAIL_ON": False, "MAIL_LEAVES": False}, OK, "off"),
        ({"MAIL_LEAVES": False, "ALLOWED_HOSTS": LOCAL}, OK, "stay on this machine"),
        ({"MAIL_LEAVES": False, "ALLOWED_HOSTS": PUBLIC}, WARNING, "AI_MESSAGE_MAIL_URL"),
        ({"MAIL_LEAVES": True, "PUBLIC_URL": "http://chat.example.org"}, WARNING, "without encryption"),
        ({"MAIL_LEAVES": True, "PUBLIC_URL": "https://chat.example.org"}, OK, "https://chat.example.org"),
    ],
)
def test_where_mails_go(settings: Settings, changed: dict[str, Any], level: Level, words: str) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)

    check(mailing.configured(), level, words)


@pytest.mark.django_db
def test_mails_that_failed() -> None:
    check(mailing.going_out(), OK)
    Mail.objects.create(kind="reset", state="sent")
    old = timezone.now() - timedelta(days=2)
    Mail.objects.create(kind="reset", state="failed", error="OSError 111", created_at=old)
    check(mailing.going_out(), OK)

    Mail.objects.create(kind="reset", state="failed", error="The mail server says 554")
    check(mailing.going_out(), WARNING, "--mail")
    assert "1 mail(s)" in mailing.going_out().found
    assert "554" in mailing.going_out().found


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("scope", "variable"),
    [("mail_address", "AI_MESSAGE_MAIL_PER_ADDRESS"), ("mail", "AI_MESSAGE_THROTTLE_MAIL")],
)
def test_the_limit_that_holds_mails_back(
    settings: Settings, time_machine: TimeMachineFixture, scope: str, variable: str
) -> None:
    settings.THROTTLE_RATES = {**dict.fromkeys(settings.THROTTLE_RATES), scope: (2, 3600)}

    def ask() -> None:
        APIClient().post("/auth/password/reset", {"email": "alice@example.org"})

    ask()
    ask()
    check(mailing.going_out(), OK)
    ask()
    check(mailing.going_out(), WARNING, f"raise {variable}")
    assert "example" not in str(mailing.going_out())

    time_machine.move_to(timezone.now() + timedelta(hours=1, seconds=1))
    check(mailing.going_out(), OK)
