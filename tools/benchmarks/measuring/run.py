"""One run of the benchmark: starts database and servers, and measures cases and phases."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tools.benchmarks import machine, verify
from tools.benchmarks.cases import BARE, CASES, DJANGO, PEER, PRODUCT
from tools.benchmarks.measuring.bench import Bench
from tools.benchmarks.measuring.database import load_database, running_cluster, workspace
from tools.benchmarks.measuring.options import PHASES, Options, say
from tools.benchmarks.measuring.phases import PHASE
from tools.benchmarks.results import Results
from tools.benchmarks.servers import Application, Server, stopping


def start_servers(bench: Bench, servers: list[Server]) -> None:
    app, port = bench.app, bench.options.port

    def keep(name: str, server: Server) -> None:
        servers.append(server)
        bench.servers[name] = server

    keep(PRODUCT, app.serve(PRODUCT, port))
    keep(DJANGO, app.serve_floor(DJANGO, "django_floor", port + 2))
    keep(BARE, app.serve_floor(BARE, "bare_floor", port + 3))
    keep(PEER, app.serve_peer(port + 1))


def run_benchmark(options: Options) -> None:
    with loaded(options, f"{options.size}-postgresql") as bench:
        measure_all(bench)


@contextmanager
def loaded(options: Options, name: str) -> Iterator[Bench]:
    begun = time.monotonic()
    run = time.strftime("%Y-%m-%dT%H:%M:%S")
    results = Results(options.results / f"{'quick' if options.quick else name}.jsonl", run)
    with (
        workspace(options) as folder,
        running_cluster(folder, options.postgresql_port) as (cluster, postmaster),
    ):
        app = Application(options.app.resolve(), cluster.url(f"bench_{options.size}"), folder)
        say(f"Loading {options.size} messages ...")
        shape = load_database(app, cluster, options.size, folder)
        yield Bench(options, results, app, shape, folder, cluster, postmaster)
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
    with stopping([]) as servers:
        start_servers(bench, servers)
        count = verify.compare(bench.facts, bench.servers[PRODUCT].url, bench.servers[PEER].url)
        say(f"The peer gives the same answers: {count} requests compared.")
        bench.record("verify", kind="verify", compared=count)
        for name, make in CASES.items():
            if options.wants(name):
                bench.measure(make(bench.facts))
        for name in PHASES:
            if options.wants(name):
                say(f"\n{name}")
                PHASE[name](bench)
