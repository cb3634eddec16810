"""From sampled stacks to microseconds a request, by part of the server."""

import pytest

from tools.benchmarks.measuring.stacks import REST, part_of_stack, sum_stacks
from tools.benchmarks.report.document import render
from tools.benchmarks.results import Record

ROOT = 'process 7:"/opt/.venv/bin/python /opt/.venv/bin/gunicorn";_bootstrap (threading.py)'
HANDLE = f"{ROOT};_worker (concurrent/futures/thread.py);handle (aimessage/server/worker.py)"
VIEW = f"{HANDLE};__call__ (django/core/handlers/wsgi.py);dispatch (rest_framework/views.py)"


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        (f"{HANDLE};AccessLogger.atoms (aimessage/server/worker.py)", "logging"),
        (HANDLE, "gunicorn and its worker"),
        (f"{HANDLE};parse (gunicorn/http/message.py:12)", "gunicorn and its worker"),
        (f"{HANDLE};atoms (aimessage/server/worker.py)", "logging"),
        (f"{HANDLE};access (gunicorn/glogging.py);info (logging/__init__.py)", "logging"),
        (f"{HANDLE};__call__ (django/core/handlers/wsgi.py)", "Django: handlers, middleware, URLs"),
        (VIEW, "REST framework"),
        (f"{VIEW};render (aimessage/api/renderers.py)", "JSON"),
        (f"{VIEW};list (aimessage/api/lists/listing.py)", "aimessage, the rest"),
        (f"{VIEW};list (messaging/views/messages.py)", "the endpoint's own"),
        (
            f"{VIEW};x (messaging/views.py);execute (django/db/backends/utils.py)",
            "database: psycopg, Django's ORM",
        ),
        (f"{VIEW};execute (aimessage/db/postgresql/base.py)", "database: psycopg, Django's ORM"),
        (f"{VIEW};execute (psycopg/cursor.py);wait (selectors.py)", "database: psycopg, Django's ORM"),
        (f"{HANDLE};__call__ (aimessage/api/middleware.py)", "our middleware and metrics"),
        # What is known nowhere counts as who called it.
        (f"{VIEW};read (accounts/tokens.py);decode (jwt/api_jwt.py)", "the endpoint's own"),
        (ROOT, REST),
    ],
)
def test_a_sample_belongs_to_the_innermost_part(stack: str, part: str) -> None:
    assert part_of_stack(stack) == part


def test_samples_are_summed_by_part() -> None:
    lines = [f"{VIEW} 30", f"{VIEW};render (aimessage/api/renderers.py) 8", f"{HANDLE};{VIEW} 2"]
    assert sum_stacks(lines) == {"REST framework": 32, "JSON": 8}


def profile(contender: str, millis: float, samples: dict[str, int]) -> list[Record]:
    common = {"run": "2026-01-02T03:04:05", "database": "postgresql", "size": "1m"}
    common |= {"case": f"profile {contender}", "contender": contender}
    runs = [
        {
            **common,
            "kind": "profile",
            "connections": 8,
            "repetition": repetition,
            "requests": 1000,
            "client_cpu": 0.05,
            "cpu": {
                "server, user": millis * factor,
                "server, system": 0.2,
                "database, user": 0.3,
                "database, system": 0.1,
            },
        }
        for repetition, factor in enumerate((1, 1, 10))
    ]
    return [*runs, {**common, "kind": "samples", "samples": samples}]


def test_shows_microseconds_by_process_and_by_part_beside_the_floor() -> None:
    records = profile("GET /auth/me", 0.6, {"database": 25, "Django": 25, "logging": 50})
    records += profile("Django, one SELECT", 0.3, {"database": 50, "Django": 50})
    report = render(records)
    assert "| µs of CPU a request | Django, one SELECT | GET /auth/me |" in report
    assert "| server, user | 300 | 600 |" in report
    assert "| server, system | 200 | 200 |" in report
    assert "| PostgreSQL, user | 300 | 300 |" in report
    assert "| - Django | 150 | 150 |" in report
    assert "| - logging | 0 | 300 |" in report
    assert "| wrk | 50 | 50 |" in report


def test_without_a_profile_there_is_no_section() -> None:
    assert "Where the time goes" not in render([])
