"""Worker models, versions of Python, and what idle connections do to each."""

from tools.benchmarks.report.endpoints import per_request
from tools.benchmarks.report.markdown import NONE, machine_lines, shown, table
from tools.benchmarks.results import Record, pick, ratios, spread


def workers_section(records: list[Record]) -> list[str]:
    """Every contender against the first, which is what the product comes with."""
    runs = pick(records, kind="workers")
    if not runs:
        return []
    default = runs[0]["contender"]
    lines = [
        "## Workers and versions of Python",
        "",
        "The product, 2 processes each: on the worker that it comes with, and on gunicorn's own; then on that"
        f" first one under other Pythons. Ratios are to {default}, pair by pair. `make bench-workers`",
        "",
        *machine_lines(records, "workers"),
    ]
    for title in dict.fromkeys(record["title"] for record in runs):
        lines += [f"### {title}", "", *_comparison(pick(runs, title=title), default)]
    return [*lines, *idle_part(records)]


def _comparison(runs: list[Record], default: str) -> list[str]:
    rows = []
    for connections in sorted({record["connections"] for record in runs}):
        for contender in dict.fromkeys(record["contender"] for record in runs):
            own = pick(runs, contender=contender, connections=connections)
            against = spread(ratios(runs, "rate", contender, default, connections))
            rows.append(
                [
                    str(connections),
                    contender,
                    shown(run["rate"] for run in own),
                    str(against) if against and contender != default else NONE,
                    shown((run["p50"] for run in own), 2),
                    shown((run["p99"] for run in own), 2),
                    per_request(own, "server"),
                ]
            )
    head = ["connections", "", "requests/s", f"÷ {default}", "p50 ms", "p99 ms", "CPU ms a request"]
    return table(head, rows)


def idle_part(records: list[Record]) -> list[str]:
    """How long GET /health takes beside clients who hold a connection and say nothing."""
    found = pick(records, kind="idle")
    if not found:
        return []
    contenders = list(dict.fromkeys(record["contender"] for record in found))
    rows = []
    for count, sent in dict.fromkeys((record["connections"], record["sent"]) for record in found):
        held = pick(found, connections=count, sent=sent)
        cells = [_answered(pick(held, contender=contender)) for contender in contenders]
        rows.append([f"{count}, which sent {sent}", *cells])
    return [
        "### Beside idle connections",
        "",
        "How long `GET /health` takes, in ms, while others hold connections on which they send no more, as"
        " browsers do that open them ahead. Where no proxy stands in front, anybody can.",
        "",
        *table(["connections", *contenders], rows),
    ]


def _answered(records: list[Record]) -> str:
    times = [record["millis"] for record in records]
    if None in times:
        return f"no answer within {records[0]['patience']} s, {times.count(None)} of {len(times)} times"
    return shown(times)
