"""The servers, the display, and the figures that a run leaves behind."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.faults.progress import Display
from tools.faults.servers import ROOT, Application, PostgreSQL, serving

FIGURES = ROOT / "test-artifacts" / "figures.jsonl"
DISPLAY = pytest.StashKey[Display]()
MEASURED = pytest.StashKey[dict[str, Any]]()
OUTCOME = pytest.StashKey[str]()


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
    """4 workers over PostgreSQL, for tests that leave them as they were."""
    with serving(Application(tmp_path_factory.mktemp("application"), postgres.url())) as running:
        yield running


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`figure(tried=…, lost=…)` puts what was measured into the table, and test-artifacts/figures.jsonl."""

    def keep(**values: Any) -> None:
        FIGURES.parent.mkdir(exist_ok=True)
        with FIGURES.open("a") as file:
            file.write(json.dumps({"test": request.node.name, "at": int(time.time()), **values}) + "\n")
        request.node.stash.setdefault(MEASURED, {}).update(values)

    return keep


@pytest.fixture
def progress(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`progress("3 of 20 kills")` shows how far a long test is, whatever pytest captures."""
    return request.config.stash[DISPLAY].show


# --- The display, in place of pytest's own letters ------------------------------------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    ours = [item for item in session.items if item.get_closest_marker("faults")]
    capture = session.config.pluginmanager.getplugin("capturemanager")
    session.config.stash[DISPLAY] = Display(len(ours), capture)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.config.stash[DISPLAY].begin(item.name.removeprefix("test_").replace("_", " "))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report = yield
    if not report.passed:
        item.stash[OUTCOME] = report.outcome
        # At once, since the rest may take half an hour.
        item.config.stash[DISPLAY].fail(str(getattr(report.longrepr, "reprcrash", report.longrepr)))
    if report.when == "teardown":
        item.config.stash[DISPLAY].end(item.stash.get(OUTCOME, "passed"), item.stash.get(MEASURED, {}))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    if report.nodeid.startswith("tools/faults/") and report.passed:
        return ("passed" if report.when == "call" else "", "", "")
    return None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    display = config.stash.get(DISPLAY, None)
    if display and (table := display.table()):
        terminalreporter.section("figures")
        for line in table:
            terminalreporter.line(line)
