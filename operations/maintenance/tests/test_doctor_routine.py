"""What the doctor says of the work that somebody has to do: superusers, sweeps, backups."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session as AdminSession
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.services.second_factor import begin_totp
from operations.demo.people import ADMIN_EMAIL, PASSWORD
from operations.maintenance.doctor import routine
from operations.maintenance.doctor.findings import Level
from operations.maintenance.tests.doctor_states import ERROR, LOCAL, OK, PUBLIC, STRONG, WARNING, check
from tests.factories import UserFactory


@pytest.mark.django_db
def test_superuser() -> None:
    check(routine.superuser(), WARNING, "createsuperuser")
    user = UserFactory(is_superuser=True)
    check(routine.superuser(), OK, "1 active")
    User.objects.filter(pk=user.pk).update(is_active=False)
    check(routine.superuser(), WARNING)


@pytest.mark.django_db
def test_demo_accounts(settings: Settings) -> None:
    check(routine.demo_accounts(), OK)
    UserFactory(is_superuser=True, password=PASSWORD)
    check(routine.demo_accounts(), OK)

    user = UserFactory(email=ADMIN_EMAIL, is_superuser=True, password=PASSWORD)
    settings.ALLOWED_HOSTS = LOCAL
    check(routine.demo_accounts(), WARNING, "make demo")
    settings.ALLOWED_HOSTS = PUBLIC
    check(routine.demo_accounts(), ERROR)

    user.set_password("another-password-42")
    user.save()
    check(routine.demo_accounts(), OK)


@pytest.mark.django_db
def test_sealed_secrets(settings: Settings) -> None:
    check(routine.sealed_secrets(), OK)
    begin_totp(UserFactory())
    check(routine.sealed_secrets(), OK)

    settings.ENCRYPTION_KEYS = [STRONG]
    check(routine.sealed_secrets(), ERROR, "manage.py reseal")
    begin_totp(UserFactory())
    check(routine.sealed_secrets(), ERROR)


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "level"), [(1.9, OK), (2.1, WARNING)])
def test_swept(days: float, level: Level) -> None:
    expired = timezone.now() - timedelta(days=days)
    AdminSession.objects.create(session_key="x", session_data="", expire_date=expired)

    check(routine.swept(), level, "manage.py sweep" if level is WARNING else "")


def test_backups(tmp_path: Path) -> None:
    check(routine.backups(tmp_path / "missing"), WARNING, "--backups")
    (tmp_path / "other.dump").touch()
    (tmp_path / "aimessage-20260101T000000Z.dump").touch()  # cut off: it has no manifest
    check(routine.backups(tmp_path), WARNING, "There are no backups")

    for day in (2, 3):
        path = tmp_path / f"aimessage-2026010{day}T000000Z.dump"
        path.touch()
        path.with_name(f"{path.name}.json").touch()
    check(routine.backups(tmp_path), OK, "20260103")

    old = (timezone.now() - timedelta(days=3)).timestamp()
    os.utime(path, (old, old))
    check(routine.backups(tmp_path), WARNING, "72 hours old")
