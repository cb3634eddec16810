"""What the doctor says of the machine: folders, disk, certificates, static files."""

import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from operations.maintenance.doctor import machine
from operations.maintenance.doctor.findings import Level
from operations.maintenance.tests.certificates import make_certificate
from operations.maintenance.tests.doctor_states import ERROR, LOCAL, OK, PUBLIC, WARNING, check


def test_there_may_be_no_log_folder(settings: Settings, tmp_path: Path) -> None:
    settings.LOGS_FOLDER = None

    check(machine.log_folder(), OK, "standard error")
    check(machine.disk_space(tmp_path / "nowhere"), OK, "")


def test_log_folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LOGS_FOLDER = tmp_path
    (tmp_path / "auth.log").touch()
    check(machine.log_folder(), OK, str(tmp_path))

    monkeypatch.setattr(os, "access", lambda path, mode: path == tmp_path)
    check(machine.log_folder(), ERROR, "auth.log")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    check(machine.log_folder(), ERROR, f"{tmp_path} cannot be written to")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_log_file_of_another_user_is_told_to_root(settings: Settings, tmp_path: Path) -> None:
    settings.LOGS_FOLDER = tmp_path
    (tmp_path / "auth.log").touch()
    os.chown(tmp_path / "auth.log", 12345, 12345)

    check(machine.log_folder(), WARNING, "auth.log")


@pytest.mark.parametrize(
    ("free", "level", "words"),
    [(5e9, OK, "5.0 GB"), (0.9e9, WARNING, "0.9 GB"), (0.1e9, ERROR, "Make room at once")],
)
def test_disk_space(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, level: Level, words: str
) -> None:
    def usage(folder: Path) -> Any:
        return SimpleNamespace(free=free if folder == tmp_path else 6e9)

    monkeypatch.setattr(machine.shutil, "disk_usage", usage)

    check(machine.disk_space(tmp_path), level, words)
    check(machine.disk_space(tmp_path / "missing"), OK, "6.0 GB")


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [(365, OK, "364 days"), (22, OK, "21 days"), (20, WARNING, "19 days"), (-1, ERROR, "ran out")],
)
def test_certificate_by_the_time_left(
    settings: Settings, tmp_path: Path, time_machine: Any, days: int, level: Level, words: str
) -> None:
    settings.ALLOWED_HOSTS = LOCAL
    settings.SSL_CERT, settings.SSL_KEY = make_certificate(tmp_path)
    time_machine.move_to(timezone.now() + timedelta(days=365 - days, minutes=1), tick=True)

    check(machine.certificate(), level, words)


def test_certificate_files(settings: Settings, tmp_path: Path) -> None:
    settings.SSL_CERT, settings.SSL_KEY = tmp_path / "none.pem", tmp_path / "none.key"
    check(machine.certificate(), OK, "none here")

    cert, key = make_certificate(tmp_path)
    settings.SSL_CERT = cert
    check(machine.certificate(), ERROR, "none.key is missing")

    settings.SSL_KEY = make_certificate(tmp_path, days=30)[1]
    check(machine.certificate(), ERROR, "KEY_VALUES_MISMATCH")

    settings.SSL_KEY = tmp_path / "broken.key"
    settings.SSL_KEY.touch(0o600)
    check(machine.certificate(), ERROR, "cannot be served")

    key.chmod(0o644)
    settings.SSL_KEY = key
    check(machine.certificate(), ERROR, "chmod o-rwx")


@pytest.mark.parametrize(
    ("names", "level", "words"),
    [
        ("chat.example.org", OK, ""),
        ("example.net,Chat.Example.Org", OK, ""),
        ("*.example.org", OK, ""),
        ("*.chat.example.org", WARNING, "does not name chat.example.org"),
        ("example.org", WARNING, "does not name chat.example.org"),
    ],
)
def test_certificate_by_names(
    settings: Settings, tmp_path: Path, names: str, level: Level, words: str
) -> None:
    settings.ALLOWED_HOSTS = PUBLIC
    settings.SSL_CERT, settings.SSL_KEY = make_certificate(tmp_path, names=names)

    check(machine.certificate(), level, words)


@pytest.mark.parametrize(
    ("issuer", "alone", "level"),
    [("other", True, WARNING), ("other", False, OK), ("self", True, OK)],
)
def test_a_certificate_without_that_of_its_issuer(issuer: str, alone: bool, level: Level) -> None:
    served = {"notAfter": "Jan  1 00:00:00 2100 GMT", "subject": "self", "issuer": issuer}

    check(machine.check_certificate(served, [], alone=alone), level, "fullchain" if level is WARNING else "")


def test_a_key_with_a_password_does_not_ask_for_it(settings: Settings, tmp_path: Path) -> None:
    settings.SSL_CERT, key = make_certificate(tmp_path)
    settings.SSL_KEY = tmp_path / "locked.key"
    os.system(f"openssl ec -in {key} -aes128 -passout pass:secret -out {settings.SSL_KEY} 2> /dev/null")  # noqa: S605
    settings.SSL_KEY.chmod(0o600)

    check(machine.certificate(), ERROR, "without a password")


def test_static_files(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    check(machine.static_files(), ERROR, "collectstatic")

    for name in machine.STATIC_FILES:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    check(machine.static_files(), OK)
