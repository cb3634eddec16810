"""Runs wrk and reads its results.

wrk is a closed loop: a connection sends its next request when the answer has arrived. Its latencies leave out
the time in a queue (coordinated omission). They compare contenders under the same load, but do not say how
long users wait on a busy day.
"""

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")
#: wrk counts an answer that takes longer than this as an error.
TIMEOUT_SECONDS = 30


class LoadError(Exception):
    """A run with errors: its figures mean nothing."""


@dataclass(frozen=True)
class Request:
    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    #: `{n}` becomes a different number in each request.
    body: str = ""

    def line(self) -> str:
        headers = "|".join(f"{name}={value}" for name, value in self.headers.items())
        return f"{self.method}\t{self.path}\t{headers}\t{self.body}\n"


@dataclass(frozen=True)
class Outcome:
    """The result of a run. Latencies in milliseconds, CPU of wrk in seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    longest: float
    errors: int
    cpu: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def parse_outcome(output: str, cpu: float) -> Outcome:
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise LoadError(f"wrk gave no result:\n{output[-1000:]}")
    raw: dict[str, int] = json.loads(line.removeprefix("RESULT "))
    return Outcome(
        requests=raw["requests"],
        seconds=raw["micros"] / 1e6,
        p50=raw["p50"] / 1e3,
        p99=raw["p99"] / 1e3,
        longest=raw["max"] / 1e3,
        errors=sum(raw[kind] for kind in ("connect", "read", "write", "status", "timeout")),
        cpu=cpu,
    )


class Load:
    """A run of wrk. `wait` or `stop` must be called."""

    _number = 0

    def __init__(self, url: str, requests: Iterable[Request], *, connections: int, seconds: int) -> None:
        wrk = shutil.which("wrk")
        if wrk is None:
            raise LoadError("There is no wrk here. On Debian: apt install wrk")
        Load._number += 1
        with tempfile.NamedTemporaryFile("w", prefix="bench-requests-", delete=False) as lines:
            lines.writelines(request.line() for request in requests)
        self.lines = Path(lines.name)
        unique = f"{os.getpid()}-{Load._number}"
        command = [wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
        command += ["--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(SCRIPT), url]
        self.process = subprocess.Popen(  # noqa: S603
            command,
            env={**os.environ, "BENCH_REQUESTS": lines.name, "BENCH_UNIQUE": unique},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait(self) -> Outcome:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            output, _ = self.process.communicate()
        finally:
            self.stop()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return parse_outcome(output, cpu)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.lines.unlink(missing_ok=True)


def run(url: str, requests: Iterable[Request], *, connections: int, seconds: int) -> Outcome:
    """Runs wrk to its end. Raises LoadError if a request failed; there may be no answers at all."""
    outcome = Load(url, requests, connections=connections, seconds=seconds).wait()
    if outcome.errors:
        raise LoadError(f"{outcome.errors} errors among {outcome.requests} answers from {url}")
    return outcome
