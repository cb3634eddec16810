"""Reading what wrk says, and how requests are written for it."""

import pytest

from tools.benchmarks.load import LoadError, Request, parse_outcome

OUTPUT = """Running 1s test @ http://127.0.0.1:8180
  1 threads and 8 connections
Requests/sec:    500.00
RESULT {"requests": 1000, "micros": 2000000, "bytes": 300000, "p50": 7500, "p99": 21500, "max": 30100,\
 "connect": 1, "read": 2, "write": 3, "status": 4, "timeout": 5}
"""


def test_reads_rate_latencies_and_errors() -> None:
    outcome = parse_outcome(OUTPUT, cpu=0.25)
    assert (outcome.requests, outcome.seconds, outcome.rate) == (1000, 2.0, 500.0)
    assert (outcome.p50, outcome.p99, outcome.longest) == (7.5, 21.5, 30.1)
    assert outcome.errors == 15
    assert outcome.cpu == 0.25


def test_refuses_output_without_a_result() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse_outcome("unable to connect to 127.0.0.1:8180 Connection refused\n", cpu=0)


def test_a_request_is_one_line() -> None:
    request = Request("/messages", "POST", {"A": "b c", "D": "e"}, '{"content": "{n}"}')
    assert request.line() == 'POST\t/messages\tA=b c|D=e\t{"content": "{n}"}\n'
