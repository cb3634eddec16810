"""Ratios pair by pair, and which of several runs counts."""

from pathlib import Path

import pytest

from tools.benchmarks.results import Record, Results, Spread, ratios, read_results, spread


def run(contender: str, repetition: int, rate: float, connections: int = 8) -> Record:
    return {"contender": contender, "repetition": repetition, "rate": rate, "connections": connections}


def test_ratios_are_of_the_same_repetition() -> None:
    # The machine was half as quick in the second: the ratio stays.
    records = [run("product", 0, 200), run("peer", 0, 100), run("product", 1, 100), run("peer", 1, 50)]
    assert ratios(records, "rate", "product", "peer", 8) == [2.0, 2.0]


def test_ratios_leave_out_what_has_no_counterpart() -> None:
    records = [run("product", 0, 200), run("product", 1, 100), run("peer", 1, 50), run("peer", 0, 10, 16)]
    assert ratios(records, "rate", "product", "peer", 8) == [2.0]
    assert ratios(records, "rate", "product", "none", 8) == []


def test_a_spread_is_the_median_with_the_range() -> None:
    assert spread([3.0, 1.0, 2.0, 9.0]) == Spread(2.5, 1.0, 9.0)
    assert str(Spread(2.5, 1.0, 9.0)) == "2.50 (1.00\N{EN DASH}9.00)"
    assert spread([]) is None


@pytest.mark.parametrize("again", ["me", "message"])
def test_of_a_case_that_was_measured_again_the_last_run_counts(tmp_path: Path, again: str) -> None:
    path = tmp_path / "1m.jsonl"
    Results(path, "2026-01-01").add(kind="case", case="me", value=1)
    Results(path, "2026-01-02").add(kind="case", case=again, value=2)
    values = [record["value"] for record in read_results([path])]
    assert values == ([2] if again == "me" else [1, 2])
