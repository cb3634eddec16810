"""The doctor's command: its status, its table and its JSON."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from operations.maintenance.doctor.findings import Finding, Level
from operations.maintenance.tests.doctor_states import ERROR, OK, OTHER, SKIPPED, STRONG, WARNING


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs the command over these levels: its status, and what it prints."""

    def run(*levels: Level, **options: Any) -> tuple[int, str]:
        findings = [
            (f"check{number}", Finding(level, "[bold]found", "do")) for number, level in enumerate(levels)
        ]
        monkeypatch.setattr(
            "operations.maintenance.management.commands.doctor.examine", lambda **kwargs: iter(findings)
        )
        out = StringIO()
        try:
            call_command("doctor", stdout=out, **options)
        except SystemExit as end:
            return int(str(end.code)), out.getvalue()
        return 0, out.getvalue()

    return run


@pytest.mark.parametrize(
    ("levels", "status"), [([OK], 0), ([OK, SKIPPED, WARNING], 0), ([OK, ERROR, WARNING], 1), ([], 0)]
)
def test_the_status_is_1_where_there_is_an_error(
    doctor: Callable[..., tuple[int, str]], levels: list[Level], status: int
) -> None:
    assert doctor(*levels)[0] == status
    assert doctor(*levels, json=True)[0] == status


def test_the_table_shows_everything(doctor: Callable[..., tuple[int, str]]) -> None:
    _, table = doctor(OK, WARNING)

    for part in ("check0", "check1", "warning", "[bold]found", "do", "0 error, 1 warning, 0 skipped, 1 ok"):
        assert part in table


def test_json_shows_the_same(doctor: Callable[..., tuple[int, str]]) -> None:
    _, printed = doctor(ERROR, json=True)

    assert json.loads(printed) == [
        {"check": "check0", "state": "error", "found": "[bold]found", "advice": "do"}
    ]


@pytest.mark.parametrize(
    "url", ["chat.example.org", "ftp://a.example", "https://", "http://a:x", "http://[", ""]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="--url"):
        call_command("doctor", url=url)


@pytest.mark.django_db
def test_the_whole_prints_no_secret(settings: Settings) -> None:
    settings.JWT_KEYS = [STRONG, OTHER]
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out, url="http://ann:s3cret@127.0.0.1:1/path")

    for secret in (settings.SECRET_KEY, STRONG, OTHER, "s3cret"):
        assert secret not in out.getvalue()
