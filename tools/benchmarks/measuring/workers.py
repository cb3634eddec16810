"""Worker models and versions of Python, side by side over one database."""

from pathlib import Path

from tools.benchmarks import machine
from tools.benchmarks.cases import PRODUCT, SEND_POOL, Case, Contender, Facts, get, pairs, posts
from tools.benchmarks.data import ORDINARY
from tools.benchmarks.load import Request
from tools.benchmarks.measuring.bench import Bench
from tools.benchmarks.measuring.idle import PATIENCE, SILENCES, health_millis, holding
from tools.benchmarks.measuring.options import Options, say
from tools.benchmarks.measuring.pythons import further_pythons, version_of
from tools.benchmarks.measuring.run import loaded
from tools.benchmarks.servers import Application, Server, stopping

#: What gunicorn is told besides the configuration of the application, whose own worker comes first.
MODELS: dict[str, list[str]] = {
    "aimessage.server.worker.Worker": [],
    "gthread": ["--worker-class", "gthread"],
    # With more than one thread, gunicorn takes it for gthread.
    "sync": ["--worker-class", "sync", "--threads", "1"],
}
IDLE_REPETITIONS = 3


def run_workers(options: Options, pythons: list[Path]) -> None:
    with loaded(options, "workers") as bench, stopping([]) as servers:
        labels = start_servers(bench, servers, pythons)
        bench.record(
            "workers",
            kind="machine",
            commit=machine.commit(bench.app.path),
            seconds=options.seconds,
            repetitions=options.repetitions,
            **machine.describe(),
        )
        for title, requests in asked(bench.facts).items():
            contenders = [Contender(label, name, requests) for name, label in labels.items()]
            bench.measure(Case("workers", title, contenders), kind="workers")
        say(f"\nGET /health while others are silent, in ms, {PATIENCE} s at most")
        for name, label in labels.items():
            if not label.startswith("Python"):  # which changes nothing about it
                fall_silent(bench, bench.servers[name], label)


def start_servers(bench: Bench, servers: list[Server], pythons: list[Path]) -> dict[str, str]:
    """Starts them all; returns what each contender is called, by the name of its server."""
    app = bench.app
    labels: dict[str, str] = {}

    def start(label: str, app: Application, options: list[str]) -> None:
        name = label if labels else PRODUCT
        labels[name] = label
        servers.append(app.serve(name, bench.options.port + len(labels) - 1, *options))
        bench.servers[name] = servers[-1]

    for model, options in MODELS.items():
        start(model, app, options)
    requirements = app.path / "requirements.txt"
    found = further_pythons(pythons, besides=version_of(app.python), requirements=requirements)
    for version, folder in found.items():
        other = Application(app.path, app.database_url, app.folder, venv=folder)
        start(f"Python {version}", other, [])
    return labels


def asked(facts: Facts) -> dict[str, list[Request]]:
    return {
        "GET /auth/me": get(facts, ORDINARY, "/auth/me"),
        "GET /messages, 100 rows": get(facts, ORDINARY, "/messages"),
        "POST /messages": posts(facts, pairs(facts, SEND_POOL)),
    }


def fall_silent(bench: Bench, server: Server, label: str) -> None:
    repetitions = 1 if bench.options.quick else IDLE_REPETITIONS
    for count, sent, start in SILENCES:
        found = []
        for repetition in range(repetitions):
            bench.settle(server)
            with holding(server.url, count, start):
                found.append(health_millis(server.url))
            bench.record(
                "workers",
                kind="idle",
                contender=label,
                connections=count,
                sent=sent,
                repetition=repetition,
                millis=found[-1],
                patience=PATIENCE,
            )
        say(f"  {label:<26} {count} that sent {sent}: " + ", ".join(str(millis) for millis in found))
