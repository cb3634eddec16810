"""What the report makes of raw results."""

from itertools import product

import pytest

from tools.benchmarks import cases
from tools.benchmarks.cases import CASES, Facts
from tools.benchmarks.data import Shape
from tools.benchmarks.measuring.options import PHASES
from tools.benchmarks.report.document import render
from tools.benchmarks.report.goals import verdict
from tools.benchmarks.results import Record, Spread
from tools.benchmarks.targets import TARGETS, Target

RATES = {"product": 600.0, "peer": 300.0, "SQL": 1500.0, "Django, one SELECT": 1000.0}


def me_records(**changed: float) -> list[Record]:
    rates = {**RATES, **changed}
    return [
        {
            "run": "2026-01-02T03:04:05",
            "kind": "case",
            "database": "postgresql",
            "size": "1m",
            "case": "me",
            "title": "GET /auth/me",
            "contender": contender,
            "connections": connections,
            "repetition": repetition,
            "rate": rate,
            "requests": 1000,
            "p50": 1000 / rate,
            "p99": 3000 / rate,
            "cpu": {"server": 1.2, "database": 0.3},
            "client_cpu": 0.1,
        }
        for (contender, rate), connections, repetition in product(rates.items(), (8, 16), range(5))
    ]


def line(report: str, start: str) -> str:
    return next(line for line in report.splitlines() if line.startswith(f"| {start}"))


def test_says_whether_a_target_is_met() -> None:
    report = render(me_records())
    floor = line(report, "GET /auth/me ÷ Django, one SELECT")
    assert "≥ 0.5" in floor
    assert "8: 0.60 (0.60\N{EN DASH}0.60)<br>16: 0.60" in floor
    assert "| met |" in floor
    assert "| met |" in line(report, "GET /auth/me ÷ peer")


def test_says_which_target_is_missed_and_which_was_not_measured() -> None:
    report = render(me_records(product=400.0))
    assert "**missed**" in line(report, "GET /auth/me ÷ Django, one SELECT")
    assert "**missed**" in line(report, "GET /auth/me ÷ peer")
    assert "not measured" in line(report, "GET /reports ÷ peer")
    assert "not measured" in line(report, "Admin lists")


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (Spread(0.6, 0.55, 0.7), "met"),
        (Spread(0.6, 0.4, 0.7), "met, range crosses"),
        (Spread(0.4, 0.3, 0.7), "**missed**"),
        (None, "not measured"),
    ],
)
def test_a_range_that_crosses_the_bound_is_said(found: Spread | None, word: str) -> None:
    assert verdict(Target("", "me", "product", "peer", "rate", 0.5), found) == word


def test_an_upper_bound_is_met_from_below() -> None:
    target = Target("", "me", "product", "peer", "p50", 1.25, at_least=False)
    assert verdict(target, Spread(1.1, 1.0, 1.2)) == "met"
    assert verdict(target, Spread(1.3, 1.0, 1.4)) == "**missed**"


def test_shows_workers_memory_and_the_slowest_admin_list() -> None:
    common = {"run": "2026-01-02T03:04:05", "kind": "phase", "database": "postgresql", "size": "1m"}
    records = me_records()
    for name, kib in (("product", 51_200), ("peer", 102_400)):
        samples = [[1000 * n, [kib, kib - 100]] for n in range(1, 5)]
        records.append({**common, "case": "memory", "contender": name, "samples": samples})
    for name, p50 in (("users", 90.0), ("reports", 200.0)):
        page = {"case": "admin", "contender": name, "path": "/", "p50": p50, "longest": p50}
        records.append({**common, **page})
    report = render(records)
    assert "| 50.0 | met |" in line(report, "Worker memory at the end")
    assert "| 0.50 | met |" in line(report, "Worker memory ÷ peer's")
    assert "200 ms at most (reports), of 2 | **missed**" in line(report, "Admin lists")


def made(name: str) -> cases.Case:
    """A case without a database behind it."""
    users = 10_000
    tokens = {user: f"token{user}" for user in range(1, users + 1)}
    return CASES[name](
        Facts(Shape(messages=10_000), tokens, lambda statement: [(6 + n, 7 + n) for n in range(60)])
    )


def test_every_target_names_a_case_and_contenders_that_are_measured() -> None:
    for target in TARGETS:
        if target.case in PHASES:
            continue
        labels = {contender.label for contender in made(target.case).contenders}
        assert {target.one, target.other} <= labels, target.title
