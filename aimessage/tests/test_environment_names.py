"""Names of variables that are misspelt, or of another release."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from aimessage.environment import find_unknown
from aimessage.tests.started import run

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AI_MESSAGE_DOMIAN", "AI_MESSAGE_DOMAIN"),
        ("AI_MESSAGE_DOMAINS", "AI_MESSAGE_DOMAIN"),
        ("AI_MESSAGE_WORKER", "AI_MESSAGE_WORKERS"),
        ("AI_MESSAGE_SSL_CRT", "AI_MESSAGE_SSL_CERT"),
        ("AI_MESSAGE_TRUSTED_PROXY", "AI_MESSAGE_TRUSTED_PROXIES"),
        ("AI_MESSAGE_domain", "AI_MESSAGE_DOMAIN"),
        ("AI_MESSAGE_LOG_FOLDER", "AI_MESSAGE_LOGS_FOLDER"),
    ],
)
def test_a_slip_in_a_name_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.delenv(meant, raising=False)
    monkeypatch.setenv(name, "x")

    with pytest.raises(ImproperlyConfigured, match=f"{name} is no setting. Did you mean {meant}?"):
        find_unknown([])


@pytest.mark.parametrize("name", ["DATABSE_URL", "DATABASE_URI", "database_url", "SECRETKEY"])
def test_a_slip_in_the_file_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for meant in ("DATABASE_URL", "SECRET_KEY"):
        monkeypatch.delenv(meant, raising=False)

    with pytest.raises(ImproperlyConfigured, match=name):
        find_unknown([name])


def test_other_programs_may_have_variables_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SECRET_KEY", "DEBUG"):
        monkeypatch.delenv(name, raising=False)

    assert find_unknown(["POSTGRES_PASSWORD", "PGSSLMODE", "TEST_DATABASE_URL", "TZ", "PATH"]) == []


def test_a_name_of_another_release_is_told_and_stops_nothing(tmp_path: Path) -> None:
    done = run("manage.py", "check", folder=tmp_path, AI_MESSAGE_TELEPATHY="on")
    assert done.returncode == 0
    assert "AI_MESSAGE_TELEPATHY is no setting of this release" in done.stderr
