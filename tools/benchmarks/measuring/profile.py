"""Where the CPU time of a request goes: by process, and within the server by the parts it is made of."""

import subprocess
import time
from pathlib import Path

from tools.benchmarks import load, machine
from tools.benchmarks.cases import CASES, DJANGO, PRODUCT, SELECT, Contender
from tools.benchmarks.measuring.bench import Bench, measured
from tools.benchmarks.measuring.options import Options, say
from tools.benchmarks.measuring.run import loaded
from tools.benchmarks.measuring.stacks import sum_stacks
from tools.benchmarks.processes import cpu_by_mode
from tools.benchmarks.servers import BENCH_BIN, Server, StartError, stopping

ENDPOINTS = (
    "me",
    "message",
    "messages",
    "conversation",
    "reports",
    "conversations",
    "search",
    "send",
    "read",
)
#: Of a case, what is looked at in place of the product's first contender: what costs most.
CONTENDERS = {"conversations": "product, hot, 50 of 2,000", "search": "frequent word"}
FLOOR = "floor"
CONNECTIONS = 8
#: Of sampling an endpoint, so many times a second.
SECONDS, RATE = 10, 250


def run_profile(options: Options) -> None:
    """Each endpoint by itself, first undisturbed for its CPU time, then with the sampler."""
    with loaded(options, "profile") as bench, stopping([]) as servers:
        bench.servers[PRODUCT] = bench.app.serve(PRODUCT, options.port)
        servers.append(bench.servers[PRODUCT])
        bench.servers[DJANGO] = bench.app.serve_floor(DJANGO, "django_floor", options.port + 2)
        servers.append(bench.servers[DJANGO])
        bench.record("profile", kind="machine", commit=machine.commit(bench.app.path), **machine.describe())
        chosen = profiled(bench)
        for one in chosen.values():
            bench.run_once(one, CONNECTIONS, 1)
        for repetition in range(options.repetitions):
            for name, one in chosen.items():
                spend(bench, name, one, repetition)
        for name, one in chosen.items():
            sample(bench, name, one)


def profiled(bench: Bench) -> dict[str, Contender]:
    """The first contender of each case that is the product, or the one of CONTENDERS; and the floor."""
    found = {FLOOR: SELECT}
    for name in bench.options.only or ENDPOINTS:
        if name not in CASES:
            raise StartError(f"ONLY={name}: that is no case that could be profiled.")
        case = CASES[name](bench.facts)
        label = CONTENDERS.get(name)
        chosen = next(one for one in case.contenders if one.server == PRODUCT and label in (None, one.label))
        title = f"{case.title}: {label.removeprefix('product, ')}" if label else case.title
        found[name] = Contender(title, PRODUCT, chosen.requests, chosen.reset)
    return found


def modes(bench: Bench, server: Server) -> dict[str, float]:
    """CPU seconds so far, of server and database, in user and in system mode."""
    roots = {"server": server.process.pid}
    if bench.postmaster is not None:
        roots["database"] = bench.postmaster
    used = {}
    for who, pid in roots.items():
        used[f"{who}, user"], used[f"{who}, system"] = cpu_by_mode(pid)
    return used


def spend(bench: Bench, name: str, one: Contender, repetition: int) -> None:
    server = bench.servers[one.server]
    if one.reset:
        bench.rows(one.reset)
    bench.settle(server)
    before = modes(bench, server)
    outcome = load.run(server.url, one.requests, connections=CONNECTIONS, seconds=bench.options.seconds)
    after = modes(bench, server)
    bench.record(
        f"profile {name}",
        kind="profile",
        contender=one.label,
        connections=CONNECTIONS,
        repetition=repetition,
        **measured(outcome),
        cpu={who: round(after[who] - before[who], 3) for who in after},
    )


def sample(bench: Bench, name: str, one: Contender) -> None:
    server = bench.servers[one.server]
    if one.reset:
        bench.rows(one.reset)
    seconds = 3 if bench.options.quick else SECONDS
    folded = bench.folder / f"profile-{name}.folded"
    # Longer than the sampler takes to come and go.
    running = load.Load(server.url, one.requests, connections=CONNECTIONS, seconds=seconds + 4)
    try:
        time.sleep(1)
        watch(server, folded, seconds)
        outcome = running.wait()
    finally:
        running.stop()
    if outcome.errors:
        raise load.LoadError(f"{outcome.errors} errors among {outcome.requests} answers from {server.url}")
    samples = sum_stacks(folded.read_text().splitlines())
    bench.record(f"profile {name}", kind="samples", contender=one.label, samples=samples)
    tell(one, samples)


def watch(server: Server, folded: Path, seconds: int) -> None:
    command = [str(BENCH_BIN / "py-spy"), "record", "--pid", str(server.process.pid), "--subprocesses"]
    # Only threads that hold the interpreter's lock: the others wait, if only for a processor.
    command += ["--gil", "--format", "raw", "--nolineno", "--rate", str(RATE), "--duration", str(seconds)]
    done = subprocess.run([*command, "--output", str(folded)], capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise StartError(f"py-spy could not watch the server; it may have to be root:\n{done.stderr[-1000:]}")


def tell(one: Contender, samples: dict[str, int]) -> None:
    total = sum(samples.values())
    say(f"\n{one.label}: {total} samples")
    for part, count in sorted(samples.items(), key=lambda item: -item[1]):
        say(f"  {part:<36} {count / max(total, 1):>6.1%}")
