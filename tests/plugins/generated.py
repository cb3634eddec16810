"""Counts the requests that fuzzing tests generate, and fails a run that generated too few."""

import os
from typing import Any

import pytest

#: The least number of requests that all fuzzing tests together generate, and the number of these tests.
FUZZED_AT_LEAST, FUZZING_TESTS = int(os.environ.get("FUZZ_AT_LEAST", "3000")), 80


def _fuzzed(config: pytest.Config) -> list[int]:
    """The number of requests that each test generated."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    every = [one for kind in reporter.stats.values() for one in kind]
    done = [one for one in every if isinstance(one, pytest.TestReport) and one.when == "call"]
    return [count for one in done for name, count in one.user_properties if name == "cases"]


def _fuzzed_too_little(config: pytest.Config) -> bool:
    counts = _fuzzed(config)
    return len(counts) >= FUZZING_TESTS and sum(counts) < FUZZED_AT_LEAST


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if counts := _fuzzed(config):
        few = f", and {FUZZED_AT_LEAST} are the least" if _fuzzed_too_little(config) else ""
        terminalreporter.line(f"{sum(counts)} generated requests{few}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fails a run of all fuzzing tests that generated too few requests."""
    if hasattr(session.config, "workerinput"):  # a worker of pytest-xdist, which knows its own tests only
        return
    if _fuzzed_too_little(session.config) and not exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
