"""The servers, and the figures that a run leaves behind."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.servers import ROOT, Application, PostgreSQL, serving

FIGURES = ROOT / "test-artifacts" / "figures.jsonl"
#: Seconds between two lines that say how far a test is.
QUIET = 15.0


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    # Not below pytest's own folder, which only its owner may enter, and PostgreSQL runs as another user.
    base = Path(tempfile.mkdtemp(prefix="aimessage-faults-"))
    base.chmod(0o711)
    cluster = PostgreSQL(base / "cluster")
    yield cluster
    cluster.remove()
    base.rmdir()


@pytest.fixture(scope="session")
def application(postgres: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A server over PostgreSQL, for tests that leave it as it was."""
    with serving(Application(tmp_path_factory.mktemp("application"), postgres.url())) as running:
        yield running


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`figure(tried=…, lost=…)` puts what was measured into the table, and test-artifacts/figures.jsonl."""

    def keep(**values: Any) -> None:
        FIGURES.parent.mkdir(exist_ok=True)
        with FIGURES.open("a") as file:
            file.write(json.dumps({"test": request.node.name, "at": int(time.time()), **values}) + "\n")
        request.node.user_properties.extend(values.items())

    return keep


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`progress("3 of 20 kills")` shows now and then how far a long test is, whatever pytest captures."""
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    shown = time.monotonic()

    def show(text: str) -> None:
        nonlocal shown
        if time.monotonic() - shown >= QUIET:
            shown = time.monotonic()
            with capture.global_and_fixture_disabled():
                print(f"    {request.node.name}: {text}", file=sys.stderr, flush=True)

    return show


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and report.user_properties and "tests/faults/" in report.nodeid:
            said = ", ".join(f"{what.replace('_', ' ')} {value}" for what, value in report.user_properties)
            terminalreporter.line(f"{report.nodeid.partition('::')[2]}, {report.duration:.0f} s: {said}")
