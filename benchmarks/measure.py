"""One run of the benchmark: database, servers, cases, and what is more than a case."""

import json
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import load, machine, verify
from benchmarks.cases import BARE, CASES, DJANGO, PEER, PRODUCT, Case, Contender, Facts, growing, logins
from benchmarks.data import ADMIN, ORDINARY, Shape, users_table
from benchmarks.load import Outcome, Request
from benchmarks.loading import copy_table, load_postgresql, load_sqlite
from benchmarks.processes import cpu_seconds, workers_pss_kib
from benchmarks.results import Results, ratios, read_results, spread
from benchmarks.servers import Application, Cluster, Server, StartError, postgresql_bin, stopping

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
#: What is more than a case: they measure something other than requests a second.
PHASES = ("noise", "admin", "memory")
#: Seconds after which tokens, which last half an hour, are made anew.
TOKEN_AGE = 600
LOGGING_IN = 20
RESULTS = Path(__file__).with_name("results")
ADMIN_USERS = 100_000
MEMORY_REQUESTS = 100_000
LONG_ANSWERS = {"messages", "conversations", "conversation", "reports"}
SETTLE_SECONDS = 15


@dataclass
class Options:
    size: str = "1m"
    database: str = "postgresql"
    app: Path = Path()
    only: tuple[str, ...] = ()
    quick: bool = False
    resume: bool = False
    repetitions: int = 5
    seconds: int = 1
    connections: tuple[int, ...] = (8, 16)
    port: int = 8180
    postgresql_port: int = 54380
    #: Where the database stays for the next run; without it, it is gone at the end.
    folder: Path | None = None
    results: Path = RESULTS

    def __post_init__(self) -> None:
        unknown = set(self.only) - {*CASES, *PHASES}
        if unknown:
            known = ", ".join([*CASES, *PHASES])
            raise StartError(f"ONLY={','.join(sorted(unknown))}: there is no such case. There are: {known}")
        if self.quick:
            self.repetitions, self.connections = 2, (8,)

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def workspace(options: Options) -> Iterator[Path]:
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        yield options.folder.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="aimessage-bench-"))
    # PostgreSQL may run as another user, who has to get in.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_cluster(folder: Path, port: int) -> Iterator[tuple[Cluster, int]]:
    """A private PostgreSQL, and the process id of its postmaster."""
    cluster = Cluster(folder / "cluster", port)
    if not cluster.exists():
        cluster.create()
    postmaster = cluster.start()
    try:
        yield cluster, postmaster
    finally:
        cluster.stop()


def load_database(app: Application, cluster: Cluster | None, size: str, folder: Path) -> Shape:
    """Makes the database that `app` names and loads it, unless an earlier run left it there."""
    shape = Shape(messages=SIZES[size])
    url = app.database_url
    name = url.rpartition("/")[2]
    mark = folder / f"loaded-{name}.json"
    if mark.exists():
        app.prepare()
        kept = json.loads(mark.read_text())
        say(f"  {name}: as an earlier run left it")
        return replace(shape, messages=kept["messages"])
    if cluster is not None:
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
            connection.execute(f'CREATE DATABASE "{name}"')
    app.prepare()
    start = time.monotonic()
    if cluster is not None:
        load_postgresql(url, shape)
    else:
        load_sqlite(Path(url.removeprefix("sqlite:///")), shape)
    say(f"  loaded in {time.monotonic() - start:.0f} s")
    mark.write_text(json.dumps({"messages": shape.messages}))
    return shape


@dataclass
class Bench:
    """What runs, and how to measure it."""

    options: Options
    results: Results
    app: Application
    shape: Shape
    folder: Path
    cluster: Cluster | None
    postmaster: int | None
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
        """What a statement finds, or nothing where it changes something."""
        if self.cluster is None:
            path = self.app.database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as lite:
                return lite.execute(statement).fetchall()
        with psycopg.connect(self.app.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def record(self, case: str, **values: Any) -> None:
        self.results.add(database=self.options.database, size=self.options.size, case=case, **values)

    def run_once(self, contender: Contender, connections: int, seconds: int) -> dict[str, Any]:
        """One run, as a record; raises LoadError, as load.run() does."""
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
        """Waits for what wrk left behind: a request in flight at the end of a run is still worked on."""
        deadline = time.monotonic() + SETTLE_SECONDS
        used = sum(self._cpu(server).values())
        while time.monotonic() < deadline:
            time.sleep(0.05)
            now = sum(self._cpu(server).values())
            if now - used <= 0.01:  # a tick: the housekeeping of idle processes
                return
            used = now

    def _cpu(self, server: Server) -> dict[str, float]:
        used = {"server": cpu_seconds(server.process.pid)}
        if self.postmaster is not None:
            used["database"] = cpu_seconds(self.postmaster)
        return used

    def _pgbench(self, connections: int, seconds: int) -> dict[str, Any]:
        assert self.cluster is not None  # noqa: S101  only PostgreSQL has this contender
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
        # It tells averages only.
        return {"rate": float(rate[1]), "p50": float(latency[1]), "p99": None, "requests": 0}

    def measure(self, case: Case) -> None:
        seconds = case.seconds or self.options.seconds
        contenders = [one for one in case.contenders if one.server in self.servers or self._has(one)]
        several = case.connections or self.options.connections
        for contender in contenders:
            self.run_once(contender, several[0], case.warm_up)
        for connections in several:
            for repetition in range(self.options.repetitions):
                # Another comes first each time.
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
        self.tell(case, contenders)

    def _has(self, contender: Contender) -> bool:
        return contender.server == "pgbench" and self.cluster is not None

    def tell(self, case: Case, contenders: list[Contender]) -> None:
        """The medians of a case that was just measured, with its first contender's ratio to each other."""
        records = [
            record
            for record in read_results([self.results.path])
            if record["case"] == case.name and record["run"] == self.results.run
        ]
        say(f"\n{case.title}")
        ours = [one.label for one in contenders if one.server == PRODUCT]
        for connections in sorted({record["connections"] for record in records}):
            for contender in contenders:
                own = [
                    record
                    for record in records
                    if record["contender"] == contender.label and record["connections"] == connections
                ]
                rate, p50 = spread(r["rate"] for r in own), spread(r["p50"] for r in own)
                p99 = spread(r["p99"] for r in own if r["p99"] is not None)
                # "peer, hot" is held against "product, hot", whatever has no such twin against the first.
                twin = "product" + "".join(contender.label.partition(", ")[1:])
                first = twin if twin in ours else ours[0]
                against = spread(ratios(records, "rate", first, contender.label, connections))
                say(
                    f"  {connections:>3} connections  {contender.label:<26}"
                    f" {rate.middle if rate else 0:>9.1f}/s  p50 {p50.middle if p50 else 0:>8.2f} ms"
                    f"  p99 {p99.middle if p99 else 0:>8.2f} ms  CPU {cpu_millis(own):>6.2f} ms"
                    + (f"  {first}: {against} of it" if against and contender.label != first else "")
                )


def cpu_millis(records: list[dict[str, Any]]) -> float:
    """CPU time of server and database for a request: it hardly minds what else the machine does."""
    spent = sum(sum(record["cpu"].values()) for record in records if "cpu" in record)
    return 1000 * spent / max(1, sum(record["requests"] for record in records))


def measured(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a record. Where no answer came, it took at least as long as the run."""
    if not outcome.requests:
        least = outcome.seconds * 1000
        outcome = replace(outcome, p50=least, p99=least, longest=least)
    values = asdict(outcome)
    del values["cpu"]
    return {**values, "rate": round(outcome.rate, 2), "client_cpu": round(outcome.cpu, 3)}


def noise(bench: Bench) -> None:
    """GET /auth/me in quiet, and while others log in, whose hashing takes all the CPU it gets."""
    seconds = 2 if bench.options.quick else 5
    url = bench.servers[PRODUCT].url
    requests = [Request("/auth/me", headers={"Authorization": f"Bearer {bench.facts.tokens[ORDINARY]}"})]
    people = list(logins(bench.facts))
    for repetition in range(2 if bench.options.quick else 5):
        for label in ("quiet", f"while {LOGGING_IN} log in"):
            bench.settle(bench.servers[PRODUCT])
            others = None
            if label != "quiet":
                others = load.Load(url, people, connections=LOGGING_IN, seconds=seconds + 2)
                time.sleep(1)
            try:
                outcome = load.run(url, requests, connections=8, seconds=seconds)
                beside = others.wait() if others else None
            finally:
                if others:
                    others.stop()
            values = measured(outcome)
            bench.record(
                "noise",
                kind="phase",
                contender=label,
                connections=8,
                repetition=repetition,
                logins=beside.rate if beside else 0,
                **values,
            )
            say(f"  GET /auth/me, {label}: p50 {values['p50']:.1f} ms, p99 {values['p99']:.1f} ms")


def admin(bench: Bench) -> None:
    """The admin's lists, with ten times the people."""
    if bench.cluster is not None:
        present = bench.facts.one("SELECT max(id) FROM accounts_user")
        with psycopg.connect(bench.app.database_url, autocommit=True) as connection:
            if present < ADMIN_USERS and not bench.options.quick:
                copy_table(connection, users_table(present + 1, ADMIN_USERS, bench.shape.ends))
                connection.execute("VACUUM ANALYZE accounts_user")
    cookies = bench.app.ask("cookie", str(ADMIN))
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    lists = bench.app.ask("admin")
    paths = {"home page": "/admin/", **{name.replace("_", ": "): path for name, path in lists.items()}}
    users, complaints = lists.get("accounts_user"), lists.get("reports_report")
    if users:
        paths |= {"accounts: user, page 100": f"{users}?p=100", "accounts: user, search": f"{users}?q=mara"}
    if complaints:
        paths |= {"reports: report, page 100": f"{complaints}?p=100"}
    for label, path in paths.items():
        seconds = 1 if bench.options.quick else 4
        url = bench.servers[PRODUCT].url
        outcome = load.run(url, [Request(path, headers=headers)], connections=1, seconds=seconds)
        bench.record(
            "admin",
            kind="phase",
            contender=label,
            connections=1,
            repetition=0,
            path=path,
            **measured(outcome),
        )
        say(f"  {label:<40} p50 {outcome.p50:>7.1f} ms, {outcome.requests} requests")


def memory(bench: Bench) -> None:
    """PSS of the workers while they answer a hundred thousand requests of every kind.

    The peer answers fewer: it is not its growth that is in question, and if it grew, that would be its gain.
    """
    cases = [
        CASES[name](bench.facts) for name in CASES if name not in ("floors", "search", "senders", "login")
    ]
    for server in (PRODUCT, PEER):
        if server not in bench.servers:
            continue
        total = MEMORY_REQUESTS // (4 if server == PEER else 1) // (50 if bench.options.quick else 1)
        kinds = [
            one.requests[:200]
            for case in cases
            for one in case.contenders * (1 if case.name in LONG_ANSWERS else 3)
            if one.server == server
        ]
        # In turn, whatever the number of a kind's requests; as clients do, three short ones for each page.
        mixed = list(chain.from_iterable([kind[n % len(kind)] for kind in kinds] for n in range(200)))
        running, done = bench.servers[server], 0
        samples: list[tuple[int, list[int]]] = []
        while done < total:
            outcome = load.run(running.url, mixed, connections=8, seconds=1 if bench.options.quick else 5)
            done += outcome.requests
            samples.append((done, workers_pss_kib(running.process.pid)))
        bench.record("memory", kind="phase", contender=server, connections=8, repetition=0, samples=samples)
        shown = ", ".join(f"{kib / 1024:.1f}" for kib in samples[-1][1])
        say(f"  {server}: {shown} MiB PSS a worker after {done:,} requests")


PHASE: dict[str, Callable[[Bench], None]] = {"noise": noise, "admin": admin, "memory": memory}


def start_servers(bench: Bench, servers: list[Server]) -> None:
    app, port = bench.app, bench.options.port

    def keep(name: str, server: Server) -> None:
        servers.append(server)
        bench.servers[name] = server

    keep(PRODUCT, app.serve(PRODUCT, port))
    keep(DJANGO, app.serve_floor(DJANGO, "django_floor", port + 2))
    if bench.cluster is not None:
        keep(BARE, app.serve_floor(BARE, "bare_floor", port + 3))
        keep(PEER, app.serve_peer(port + 1))


def run_benchmark(options: Options) -> None:
    """Measures what `options` ask for, and adds it to the results."""
    begun = time.monotonic()
    run = time.strftime("%Y-%m-%dT%H:%M:%S")
    name = "quick" if options.quick else f"{options.size}-{options.database}"
    results = Results(options.results / f"{name}.jsonl", run)
    with workspace(options) as folder:
        if options.database == "sqlite":
            url = f"sqlite:///{folder / f'bench-{options.size}.sqlite3'}"
            app = Application(options.app.resolve(), url, folder)
            shape = load_database(app, None, options.size, folder)
            measure_all(Bench(options, results, app, shape, folder, None, None))
        else:
            with running_cluster(folder, options.postgresql_port) as (cluster, postmaster):
                app = Application(options.app.resolve(), cluster.url(f"bench_{options.size}"), folder)
                say(f"Loading {options.size} messages ...")
                shape = load_database(app, cluster, options.size, folder)
                measure_all(Bench(options, results, app, shape, folder, cluster, postmaster))
    say(f"\nDone in {(time.monotonic() - begun) / 60:.1f} minutes; raw results in {results.path}")


def measure_all(bench: Bench) -> None:
    options = bench.options
    bench.record(
        "machine",
        kind="machine",
        commit=machine.commit(bench.app.path),
        seconds=options.seconds,
        repetitions=options.repetitions,
        **machine.describe(),
    )
    done = set()
    if options.resume and bench.results.path.exists():
        earlier = read_results([bench.results.path])
        done = {record["case"] for record in earlier if record["kind"] == "done"}
    with stopping([]) as servers:
        start_servers(bench, servers)
        if PEER in bench.servers:
            count = verify.compare(bench.facts, bench.servers[PRODUCT].url, bench.servers[PEER].url)
            say(f"The peer gives the same answers: {count} requests compared.")
            bench.record("verify", kind="verify", compared=count)
        for name, make in CASES.items():
            if options.wants(name) and name not in done:
                bench.measure(make(bench.facts))
                bench.record(name, kind="done")
        for name in PHASES:
            if options.wants(name) and name not in done:
                say(f"\n{name}")
                PHASE[name](bench)
                bench.record(name, kind="done")


def run_growth(options: Options, sizes: list[str]) -> None:
    """Every list and count over databases of several sizes, side by side in one PostgreSQL."""
    run = time.strftime("%Y-%m-%dT%H:%M:%S")
    results = Results(options.results / ("quick.jsonl" if options.quick else "growth.jsonl"), run)
    with (
        workspace(options) as folder,
        running_cluster(folder, options.postgresql_port) as (cluster, postmaster),
    ):
        benches = {}
        for size in sizes:
            say(f"Loading {size} messages ...")
            own = folder / size
            own.mkdir(exist_ok=True)
            app = Application(options.app.resolve(), cluster.url(f"bench_{size}"), own)
            shape = load_database(app, cluster, size, folder)
            sized = replace(options, size=size)
            benches[size] = Bench(sized, results, app, shape, own, cluster, postmaster)
        with stopping([]) as servers:
            for number, (size, bench) in enumerate(benches.items()):
                server = bench.app.serve(f"product-{size}", options.port + 10 + number)
                servers.append(server)
                bench.servers[PRODUCT] = server
                bench.record(
                    "machine", kind="machine", commit=machine.commit(bench.app.path), **machine.describe()
                )
            grow(benches, options)


def grow(benches: dict[str, Bench], options: Options) -> None:
    names = list(growing(next(iter(benches.values())).facts))
    for name in names:
        medians: dict[str, list[float]] = {}
        for repetition in range(-1, options.repetitions):
            turn = max(repetition, 0) % len(benches)
            order = list(benches.items())
            for size, bench in order[turn:] + order[:turn]:
                requests = growing(bench.facts)[name]
                bench.settle(bench.servers[PRODUCT])
                outcome = load.run(
                    bench.servers[PRODUCT].url, requests, connections=8, seconds=options.seconds
                )
                if repetition < 0:
                    continue
                medians.setdefault(size, []).append(outcome.p50)
                bench.record(
                    "growth",
                    kind="growth",
                    contender=name,
                    connections=8,
                    repetition=repetition,
                    **measured(outcome),
                )
        shown = "  ".join(f"{size} {spread(values).middle:.2f}" for size, values in medians.items())  # type: ignore[union-attr]
        say(f"  {name:<36} p50 in ms: {shown}")
