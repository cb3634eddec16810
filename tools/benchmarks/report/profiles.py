"""Where the CPU time of a request goes."""

from statistics import median

from tools.benchmarks.report.markdown import NONE, machine_lines, table
from tools.benchmarks.results import Record, pick
from tools.benchmarks.targets import SELECT

MODES = {
    "PostgreSQL, user": "database, user",
    "PostgreSQL, system": "database, system",
    "server, system": "server, system",
    "server, user": "server, user",
}


def profile_section(records: list[Record]) -> list[str]:
    """Microseconds a request, one column for each endpoint; the floor comes first."""
    spent, sampled = pick(records, kind="profile"), pick(records, kind="samples")
    contenders = sorted(dict.fromkeys(record["contender"] for record in spent), key=lambda one: one != SELECT)
    if not contenders:
        return []
    runs = {one: pick(spent, contender=one) for one in contenders}
    samples = {one: _samples(pick(sampled, contender=one)) for one in contenders}
    rows = [["wrk", *(f"{_client(runs[one]):,.0f}" for one in contenders)]]
    for title, mode in MODES.items():
        rows.append([title, *(f"{micros(runs[one], mode):,.0f}" for one in contenders)])
    totals = {one: micros(runs[one], "server, user") for one in contenders}
    for part in _parts(samples):
        rows.append([f"- {part}", *(_share(samples[one], part, totals[one]) for one in contenders)])
    return [
        "## Where the time goes",
        "",
        f"Microseconds of CPU a request, at {spent[0]['connections']} connections, medians. The server's in"
        " user mode are shared out by what py-spy saw, 250 times a second in a run of its own, on the stack"
        " of whatever thread held the interpreter's lock; a sample counts for the innermost part on it."
        " `make bench-profile`",
        "",
        *machine_lines(records, "profile"),
        *table(["µs of CPU a request", *contenders], rows),
    ]


def micros(runs: list[Record], mode: str) -> float:
    """Median over the repetitions."""
    spent = [1e6 * run["cpu"].get(mode, 0) / run["requests"] for run in runs if run["requests"]]
    return median(spent) if spent else 0.0


def _client(runs: list[Record]) -> float:
    return micros([{**run, "cpu": {"wrk": run["client_cpu"]}} for run in runs], "wrk")


def _samples(records: list[Record]) -> dict[str, int]:
    return records[-1]["samples"] if records else {}


def _parts(samples: dict[str, dict[str, int]]) -> list[str]:
    """All that were seen, those with most first."""
    shares: dict[str, float] = {}
    for found in samples.values():
        for part, count in found.items():
            shares[part] = shares.get(part, 0) + count / sum(found.values())
    return sorted(shares, key=lambda part: -shares[part])


def _share(samples: dict[str, int], part: str, total: float) -> str:
    if not samples:
        return NONE
    return f"{total * samples.get(part, 0) / sum(samples.values()):,.0f}"
