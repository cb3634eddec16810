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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    # Not below pytest's own folder, which only its owner may enter, and PostgreSQL runs as another user.
    base = Path(tempfile.mkdtemp(prefix="aimessage-faults-"))
    base.chmod(0o711)
    cluster = PostgreSQL(base / "cluster")
    yield cluster
    cluster.remove()
    base.rmdir()


@pytest.fixture(scope="module")
def application(postgres: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """4 workers over PostgreSQL."""
    with serving(Application(tmp_path_factory.mktemp("application"), postgres.url())) as running:
        yield running


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`figure(tried=…, lost=…)` prints what was measured, and keeps it in test-artifacts/figures.jsonl."""

    def keep(**values: Any) -> None:
        FIGURES.parent.mkdir(exist_ok=True)
        with FIGURES.open("a") as file:
            file.write(json.dumps({"test": request.node.name, "at": int(time.time()), **values}) + "\n")
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
        request.config.stash.setdefault(SAID, []).append(f"{request.node.name}: {said}")

    return keep


SAID = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if said := config.stash.get(SAID, []):
        terminalreporter.section("figures")
        for line in said:
            terminalreporter.line(line)


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows how far a long test is, on the terminal, whatever pytest captures."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    last = [0.0]

    def show(text: str) -> None:
        if time.monotonic() - last[0] < 1:
            return
        last[0] = time.monotonic()
        with capture.global_and_fixture_disabled():
            end = "\r" if sys.stderr.isatty() else "\n"
            sys.stderr.write(f"  {request.node.name}: {text}{end}")
            sys.stderr.flush()

    return show
