"""What the report says of worker models, versions of Python and idle connections."""

from itertools import product

from tools.benchmarks.report.document import render
from tools.benchmarks.results import Record

COMMON = {"run": "2026-01-02T03:04:05", "database": "postgresql", "size": "1m", "case": "workers"}
RATES = {"aimessage.server.worker.Worker": 600.0, "gthread": 300.0, "Python 3.13.0": 660.0}


def runs(title: str = "GET /auth/me") -> list[Record]:
    return [
        {
            **COMMON,
            "kind": "workers",
            "title": title,
            "contender": contender,
            "connections": connections,
            "repetition": repetition,
            # The machine gets slower, for all alike.
            "rate": rate / (repetition + 1),
            "requests": 1000,
            "p50": 1000 / rate,
            "p99": 3000 / rate,
            "cpu": {"server": 1.2, "database": 0.3},
        }
        for repetition, connections, (contender, rate) in product(range(3), (8, 16), RATES.items())
    ]


def idle(contender: str, *millis: float | None) -> list[Record]:
    held = {"kind": "idle", "contender": contender, "connections": 4, "sent": "nothing", "patience": 10}
    return [{**COMMON, **held, "repetition": n, "millis": one} for n, one in enumerate(millis)]


def lines(report: str, start: str) -> list[str]:
    return [line for line in report.splitlines() if line.startswith(f"| {start}")]


def test_holds_each_contender_against_the_worker_that_the_product_comes_with() -> None:
    report = render(runs())
    (gthread,) = lines(report, "8 | gthread")
    assert "| 0.50 (0.50\N{EN DASH}0.50) | 3.33 (3.33\N{EN DASH}3.33) | 10.00" in gthread
    (python,) = lines(report, "16 | Python 3.13.0")
    assert "| 1.10 (1.10\N{EN DASH}1.10) |" in python
    (default,) = lines(report, "8 | aimessage.server.worker.Worker")
    assert "| 300.0 (200.0\N{EN DASH}600.0) | - |" in default


def test_each_request_has_a_table_of_its_own() -> None:
    report = render([*runs(), *runs("POST /messages")])
    assert "### GET /auth/me" in report
    assert "### POST /messages" in report
    assert len(lines(report, "8 | gthread")) == 2


def test_they_are_no_cases() -> None:
    endpoints = render(runs()).partition("## Endpoints")[2].partition("## Workers")[0]
    assert "GET /auth/me" not in endpoints


def test_says_who_gets_no_answer_beside_idle_connections() -> None:
    report = render([*runs(), *idle("gthread", 1.0, 3.0, 2.0), *idle("sync", None, 4.0, None)])
    (row,) = lines(report, "4, which sent nothing")
    assert "| 2.0 (1.0\N{EN DASH}3.0) | no answer within 10 s, 2 of 3 times |" in row


def test_without_results_there_is_no_section() -> None:
    assert "Workers" not in render([])
