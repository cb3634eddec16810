"""Compares the CPU of requests in two checkouts: `make bench-compare APP=/another/checkout`."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from statistics import median
from typing import Any

from tools.benchmarks.cases import CASES, PRODUCT, Contender
from tools.benchmarks.data import ORDINARY
from tools.benchmarks.load import Request
from tools.benchmarks.measuring.bench import Bench
from tools.benchmarks.measuring.database import load_database, running_cluster, workspace
from tools.benchmarks.measuring.options import Options, say
from tools.benchmarks.results import Results, spread
from tools.benchmarks.servers import HERE, ROOT, Application, StartError, tail

#: Cases with requests that take seconds, or that measure something else.
LEFT_OUT = ("floors", "senders", "login")
#: About how many microseconds one measurement takes, and its maximum of requests.
TARGET_MICROSECONDS, MAX_REQUESTS = 60_000, 50


class Microscope:
    """A process that runs microscope.py in a checkout."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.log = bench.folder / "microscope.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [str(bench.app.python), str(HERE / "microscope.py")],
                cwd=bench.app.path,
                env=bench.app.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, do: str, requests: list[Request], repeat: int = 1) -> Any:
        assert self.process.stdin is not None  # noqa: S101  both are pipes
        assert self.process.stdout is not None  # noqa: S101
        question = {"do": do, "requests": [asdict(one) for one in requests], "repeat": repeat}
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            raise StartError(f"{self.bench.app.path} gave no answer:\n{tail(self.log)}") from None

    def contenders(self) -> dict[str, Contender]:
        options, facts = self.bench.options, self.bench.facts
        asked = {"floor": Contender("floor", PRODUCT, [Request(f"/floor/{ORDINARY}")])}
        for name, make in CASES.items():
            if name in options.only or (not options.only and name not in LEFT_OUT):
                for one in make(facts).contenders:
                    if one.server == PRODUCT:
                        asked[f"{name}: {one.label}".removesuffix(": product")] = one
        return asked

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def microscopes(options: Options) -> Iterator[dict[str, Microscope]]:
    # Each over a database of its own, since migrations may differ.
    results = Results(options.results / "quick.jsonl", time.strftime("%Y-%m-%dT%H:%M:%S"))
    with ExitStack() as stack:
        folder = stack.enter_context(workspace(options))
        cluster, postmaster = stack.enter_context(running_cluster(folder, options.postgresql_port))
        found = {}
        for name, path in (("this", ROOT), ("other", options.app.resolve())):
            say(f"Loading {options.size} messages for {path} ...")
            own = folder / name
            own.mkdir(exist_ok=True)
            app = Application(path, cluster.url(f"bench_{name}_{options.size}"), own)
            shape = load_database(app, cluster, options.size, folder)
            found[name] = Microscope(Bench(options, results, app, shape, own, cluster, postmaster))
            stack.callback(found[name].close)
        yield found


def run_compare(options: Options, profile: str) -> None:
    with microscopes(options) as found:
        this, other = found["this"], found["other"]
        if profile:
            for one in found.values():
                one.ask("measure", one.contenders()[profile].requests[:MAX_REQUESTS], MAX_REQUESTS)
                say(one.ask("profile", one.contenders()[profile].requests[:MAX_REQUESTS], 300))
            return
        say(f"\nMicroseconds of CPU a request in worker and backend, medians of {options.rounds} rounds; and")
        say("this ÷ other, pair by pair with the range. The floor, the same code in both, shows the noise.")
        say(f"\n{'request':<42}{'this':>8}{'other':>8}   {'worker, this ÷ other':<22}{'backend':<22}queries")
        theirs = other.contenders()
        for name, ours in this.contenders().items():
            if name in theirs:
                say(compared(name, [(this, ours), (other, theirs[name])], options.rounds))


def compared(name: str, sides: list[tuple[Microscope, Contender]], rounds: int) -> str:
    for microscope, one in sides:  # Fills caches and makes plans.
        microscope.ask("measure", one.requests[:MAX_REQUESTS], MAX_REQUESTS)
    counts = [microscope.ask("queries", one.requests[:1]) for microscope, one in sides]
    rough = max(sum(microscope.ask("measure", one.requests[:5], 5)) for microscope, one in sides)
    repeat = max(3, min(MAX_REQUESTS, int(TARGET_MICROSECONDS / rough)))
    taken: list[list[tuple[float, float]]] = [[], []]
    for turn in range(rounds):
        # Each takes its turn at being first, since other load on the machine varies.
        for side in (0, 1) if turn % 2 else (1, 0):
            microscope, one = sides[side]
            if one.reset:
                microscope.bench.rows(one.reset)
            taken[side].append(microscope.ask("measure", one.requests[:MAX_REQUESTS], repeat))
    worker, backend = (
        spread(ours[part] / theirs[part] for ours, theirs in zip(*taken, strict=True) if theirs[part])
        for part in (0, 1)
    )
    totals = [median(map(sum, own)) for own in taken]
    shown = "".join(f"{total:>8.0f}" for total in totals)
    return f"{name:<42}{shown}   {worker!s:<22}{backend!s:<22}{counts[0]} / {counts[1]}"
