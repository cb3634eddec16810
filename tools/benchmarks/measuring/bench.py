"""Measures one case, and records the results."""

import re
import subprocess
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psycopg

from tools.benchmarks import load
from tools.benchmarks.cases import PRODUCT, Case, Contender, Facts
from tools.benchmarks.data import Shape
from tools.benchmarks.load import Outcome
from tools.benchmarks.measuring.options import Options, say
from tools.benchmarks.processes import cpu_seconds
from tools.benchmarks.results import Record, Results, pick, ratios, read_results, spread
from tools.benchmarks.servers import Application, Cluster, Server, postgresql_bin

#: Seconds after which tokens are renewed; they last half an hour.
TOKEN_AGE = 600
SETTLE_SECONDS = 15


@dataclass
class Bench:
    options: Options
    results: Results
    app: Application
    shape: Shape
    folder: Path
    cluster: Cluster
    postmaster: int
    servers: dict[str, Server] = field(default_factory=dict)
    _facts: Facts | None = None
    _minted: float = 0.0

    @property
    def facts(self) -> Facts:
        if self._facts is None or time.monotonic() - self._minted > TOKEN_AGE:
            tokens = self.app.mint_tokens(self.shape.users)
            self._facts, self._minted = Facts(self.shape, tokens, self.rows), time.monotonic()
        return self._facts

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.app.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def record(self, case: str, **values: object) -> None:
        self.results.add(database="postgresql", size=self.options.size, case=case, **values)

    def run_once(self, contender: Contender, connections: int, seconds: int) -> Record:
        """Raises LoadError."""
        if contender.reset:
            self.rows(contender.reset)
        if contender.server == "pgbench":
            return {"seconds": seconds, **self._pgbench(connections, seconds)}
        server = self.servers[contender.server]
        self.settle(server)
        before = self._cpu(server)
        outcome = load.run(server.url, contender.requests, connections=connections, seconds=seconds)
        after = self._cpu(server)
        return {**measured(outcome), "cpu": {name: round(after[name] - before[name], 3) for name in after}}

    def settle(self, server: Server) -> None:
        # When wrk ends, the server still works on requests in flight.
        deadline = time.monotonic() + SETTLE_SECONDS
        used = sum(self._cpu(server).values())
        while time.monotonic() < deadline:
            time.sleep(0.05)
            now = sum(self._cpu(server).values())
            if now - used <= 0.01:  # One tick, as of idle processes.
                return
            used = now

    def _cpu(self, server: Server) -> dict[str, float]:
        return {"server": cpu_seconds(server.process.pid), "database": cpu_seconds(self.postmaster)}

    def _pgbench(self, connections: int, seconds: int) -> Record:
        program = str(postgresql_bin() / "pgbench")
        where = ["-h", "127.0.0.1", "-p", str(self.cluster.port), "-U", "postgres", "pgbench"]
        if not self.rows("SELECT 1 FROM pg_database WHERE datname = 'pgbench'"):
            self.cluster.add_database("pgbench")
            subprocess.run([program, "-i", "-q", "-s", "10", *where], check=True, capture_output=True)  # noqa: S603
        command = [program, "-S", "-n", "-c", str(connections), "-j", "2", "-T", str(seconds), *where]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        rate = re.search(r"tps = ([\d.]+)", output)
        latency = re.search(r"latency average = ([\d.]+)", output)
        if rate is None or latency is None:
            raise load.LoadError(f"pgbench gave no result:\n{output}")
        # pgbench prints only an average.
        return {"rate": float(rate[1]), "p50": float(latency[1]), "p99": None, "requests": 0}

    def measure(self, case: Case) -> None:
        seconds = case.seconds or self.options.seconds
        contenders = case.contenders
        several = case.connections or self.options.connections
        for contender in contenders:
            self.run_once(contender, several[0], case.warm_up)
        for connections in several:
            for repetition in range(self.options.repetitions):
                # Each repetition starts with another contender.
                turn = repetition % len(contenders)
                for contender in contenders[turn:] + contenders[:turn]:
                    outcome = self.run_once(contender, connections, seconds)
                    self.record(
                        case.name,
                        kind="case",
                        title=case.title,
                        contender=contender.label,
                        connections=connections,
                        repetition=repetition,
                        **outcome,
                    )
        self.print_medians(case, contenders)

    def print_medians(self, case: Case, contenders: list[Contender]) -> None:
        # Medians, and the ratio of the product to each contender.
        records = pick(
            read_results([self.results.path]), case=case.name, run=self.results.run, title=case.title
        )
        say(f"\n{case.title}")
        ours = [one.label for one in contenders if one.server == PRODUCT]
        for connections in sorted({record["connections"] for record in records}):
            for contender in contenders:
                own = pick(records, contender=contender.label, connections=connections)
                rate, p50 = spread(r["rate"] for r in own), spread(r["p50"] for r in own)
                p99 = spread(r["p99"] for r in own if r["p99"] is not None)
                # "peer, hot" is compared with "product, hot", and others with the first contender.
                twin = "product" + "".join(contender.label.partition(", ")[1:])
                first = twin if twin in ours else ours[0]
                against = spread(ratios(records, "rate", first, contender.label, connections))
                say(
                    f"  {connections:>3} connections  {contender.label:<38}"
                    f" {rate.middle if rate else 0:>9.1f}/s  p50 {p50.middle if p50 else 0:>8.2f} ms"
                    f"  p99 {p99.middle if p99 else 0:>8.2f} ms  CPU {cpu_millis(own):>6.2f} ms"
                    + (f"  {first}: {against} of it" if against and contender.label != first else "")
                )


def cpu_millis(records: list[Record]) -> float:
    # Per request, of server and database.
    spent = sum(sum(record["cpu"].values()) for record in records if "cpu" in record)
    return 1000 * spent / max(1, sum(record["requests"] for record in records))


def measured(outcome: Outcome) -> Record:
    if not outcome.requests:
        # Without an answer, a request took at least as long as the run.
        least = outcome.seconds * 1000
        outcome = replace(outcome, p50=least, p99=least, longest=least)
    values = asdict(outcome)
    del values["cpu"]
    return {**values, "rate": round(outcome.rate, 2), "client_cpu": round(outcome.cpu, 3)}
