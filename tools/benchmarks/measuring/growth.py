"""Measures how the cost of lists and counts grows with the number of messages."""

import time
from dataclasses import replace

from tools.benchmarks import load, machine
from tools.benchmarks.cases import PRODUCT, growing
from tools.benchmarks.measuring.bench import Bench, measured
from tools.benchmarks.measuring.database import load_database, running_cluster, workspace
from tools.benchmarks.measuring.options import Options, say
from tools.benchmarks.results import Results, spread
from tools.benchmarks.servers import Application, stopping


def run_growth(options: Options, sizes: list[str]) -> None:
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
                    "growth", kind="machine", commit=machine.commit(bench.app.path), **machine.describe()
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
