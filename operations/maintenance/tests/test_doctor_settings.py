"""What the doctor says of the settings."""

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Warning as CheckWarning
from pytest_django import Settings

from operations.maintenance.doctor import configuration
from operations.maintenance.doctor.findings import Level
from operations.maintenance.tests.certificates import make_certificate
from operations.maintenance.tests.doctor_states import ERROR, LOCAL, OK, OTHER, PUBLIC, STRONG, WARNING, check


@pytest.mark.parametrize(
    ("checked", "changed", "level", "words"),
    [
        ("secret_key", {"SECRET_KEY": STRONG}, OK, "38 characters"),
        (
            "secret_key",
            {"SECRET_KEY": "insecure-development-key-that-only-DEBUG=1-accepts"},
            ERROR,
            "placeholder",
        ),
        ("secret_key", {"SECRET_KEY": "django-insecure-" + STRONG}, ERROR, "placeholder"),
        ("secret_key", {"SECRET_KEY": "ChangeMe" * 5}, ERROR, "placeholder"),
        ("secret_key", {"SECRET_KEY": "abcabcabcabcabcabcabcabcabcabcabcabc"}, ERROR, "easy to guess"),
        ("jwt_keys", {"SECRET_KEY": STRONG, "JWT_KEYS": [STRONG]}, OK, "SECRET_KEY signs"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, OTHER]}, OK, "2 key(s)"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, "a" * 40]}, ERROR, "Key 2"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, STRONG]}, WARNING, "twice"),
        ("jwt_keys", {"JWT_KEYS": [STRONG, OTHER, STRONG[::-1]]}, WARNING, "3 keys verify"),
        ("debug", {"DEBUG": False}, OK, "off"),
        ("debug", {"DEBUG": True, "ALLOWED_HOSTS": LOCAL}, WARNING, "development"),
        ("debug", {"DEBUG": True, "ALLOWED_HOSTS": PUBLIC}, ERROR, "source"),
        ("hosts", {"ALLOWED_HOSTS": PUBLIC}, OK, "chat.example.org"),
        ("hosts", {"ALLOWED_HOSTS": LOCAL}, WARNING, "AI_MESSAGE_DOMAIN"),
        ("hosts", {"ALLOWED_HOSTS": ["*", *LOCAL]}, ERROR, "not *"),
        ("https", {"HTTPS": True, "ALLOWED_HOSTS": PUBLIC}, OK, "on"),
        ("https", {"HTTPS": False, "ALLOWED_HOSTS": LOCAL}, WARNING, "laptop"),
        ("https", {"HTTPS": False, "ALLOWED_HOSTS": PUBLIC}, ERROR, "AI_MESSAGE_HTTPS=1"),
        ("proxies", {"HTTPS": False, "TRUSTED_PROXIES": 0}, OK, "0 in front"),
        ("proxies", {"HTTPS": True, "TRUSTED_PROXIES": 0}, ERROR, "for ever"),
        ("proxies", {"HTTPS": True, "TRUSTED_PROXIES": 1}, WARNING, "listens on"),
        ("limits", {"THROTTLE_RATES": {"login": (60, 60)}, "LOCKOUT_FAILURES": 5}, OK, "on"),
        ("limits", {"THROTTLE_RATES": {"login": None}, "LOCKOUT_FAILURES": 5}, WARNING, "_THROTTLE_LOGIN"),
        ("limits", {"THROTTLE_RATES": {}, "LOCKOUT_FAILURES": 0}, WARNING, "_LOCKOUT_FAILURES"),
        ("system_checks", {"CORS_ALLOWED_ORIGINS": ["app.example.org"]}, WARNING, "aimessage.E002"),
    ],
)
def test_settings(
    settings: Settings, checked: str, changed: dict[str, Any], level: Level, words: str
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)

    finding = getattr(configuration, checked)()

    check(finding, level, words)
    for key in [settings.SECRET_KEY, *settings.JWT_KEYS]:
        assert key not in f"{finding}"


def test_a_proxy_alone_before_a_local_port_is_fine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HTTPS, settings.TRUSTED_PROXIES = True, 1
    monkeypatch.setenv("AI_MESSAGE_HOST", "127.0.0.1")

    check(configuration.proxies(), OK, "1 in front")


def test_own_tls_needs_no_proxy(settings: Settings, tmp_path: Path) -> None:
    settings.HTTPS, settings.TRUSTED_PROXIES = True, 0
    settings.SSL_CERT, settings.SSL_KEY = make_certificate(tmp_path)

    check(configuration.proxies(), OK)


def test_system_checks_without_https_tell_only_what_https_does_not(settings: Settings) -> None:
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = False
    settings.SECRET_KEY = STRONG * 2

    check(configuration.system_checks(), OK)


def test_a_system_check_without_a_hint_has_advice_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "run_checks", lambda **kwargs: [CheckWarning("Odd.", id="x.W1")])

    check(configuration.system_checks(), WARNING, "x.W1: Odd. See: check --deploy")


@pytest.mark.parametrize(
    ("mode", "level", "words"),
    [(None, OK, "no file"), (0o600, OK, "closed"), (0o640, OK, "closed"), (0o644, ERROR, "chmod o-rwx")],
)
def test_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int | None, level: Level, words: str
) -> None:
    path = tmp_path / "env"
    if mode is not None:
        path.touch()
        path.chmod(mode)
    monkeypatch.setenv("AI_MESSAGE_ENV_FILE", str(path))

    check(configuration.env_file(), level, words)
