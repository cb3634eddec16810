"""Writes benchmarks/report.md from the raw results: `make bench-report`.

Runs in the benchmark's own virtual environment, and so without the application or a database.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from benchmarks.results import TO, Record, Spread, pick, ratios, read_results, spread
from benchmarks.targets import (
    ADMIN_MS,
    GROWTH_BOUND,
    SELECT,
    TARGETS,
    WORKER_AGAINST_PEER,
    WORKER_MIB,
    Target,
)

FOLDER = Path(__file__).parent
#: What somebody found who looked into a missed target; it becomes the report's last part.
NOTES = FOLDER / "notes.md"
#: The report is about the first of these that there is.
PREFERRED = ["1m", "100k", "10k", "10m"]
SIZES = ["10k", "100k", "1m", "10m"]
#: In a cell that has nothing to say.
NONE = "-"


def table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def verdict(target: Target, found: Spread | None) -> str:
    """Whether the median is within the bound, and whether every single repetition is."""
    if found is None:
        return "not measured"
    if not target.met(found.middle):
        return "**missed**"
    return "met" if target.met(found.low) and target.met(found.high) else "met, range crosses"


def target_rows(records: list[Record]) -> list[list[str]]:
    rows = []
    for target in TARGETS:
        own = pick(records, case=target.case)
        at = sorted({record["connections"] for record in own})
        found = {n: spread(ratios(own, target.metric, target.one, target.other, n)) for n in at}
        cells = [f"{n}: {value}" for n, value in found.items() if value is not None]
        verdicts = {verdict(target, value) for value in found.values() if value is not None}
        worst = next(
            (word for word in ("**missed**", "met, range crosses", "met") if word in verdicts), "not measured"
        )
        command = f"`make bench ONLY={target.case}`"
        rows.append([target.title, target.wanted, "<br>".join(cells) or NONE, worst, command])
    return [*rows, *memory_rows(records), *admin_rows(records), *growth_rows(records)]


def worker_mib(record: Record) -> tuple[float, float]:
    """MiB PSS of the largest worker: half way, and at the end."""
    samples = record["samples"]
    return max(samples[len(samples) // 2][1]) / 1024, max(samples[-1][1]) / 1024


def memory_rows(records: list[Record]) -> list[list[str]]:
    found = {record["contender"]: worker_mib(record) for record in pick(records, case="memory")}
    if "product" not in found:
        return [["Worker memory after 100,000 requests", f"≤ {WORKER_MIB} MiB", NONE, "not measured", ""]]
    half, end = found["product"]
    command = "`make bench ONLY=memory`"
    rows = [
        [
            "Worker memory at the end (MiB PSS)",
            f"≤ {WORKER_MIB}",
            f"{end:.1f}",
            _met(end <= WORKER_MIB),
            command,
        ],
        [
            "Its growth in the second half",
            "≤ 1 %",
            f"{end / half - 1:+.1%}",
            _met(end / half <= 1.01),
            command,
        ],
    ]
    if "peer" in found:
        share = end / found["peer"][1]
        wanted = f"≤ {WORKER_AGAINST_PEER}"
        rows.append(
            ["Worker memory ÷ peer's", wanted, f"{share:.2f}", _met(share <= WORKER_AGAINST_PEER), command]
        )
    return rows


def admin_rows(records: list[Record]) -> list[list[str]]:
    found = pick(records, case="admin")
    if not found:
        return [["Admin lists, p50", f"≤ {ADMIN_MS} ms", NONE, "not measured", ""]]
    slowest = max(found, key=lambda record: float(record["p50"]))
    shown = f"{slowest['p50']:.0f} ms at most ({slowest['contender']}), of {len(found)}"
    return [
        [
            "Admin lists, p50",
            f"≤ {ADMIN_MS} ms",
            shown,
            _met(slowest["p50"] <= ADMIN_MS),
            "`make bench ONLY=admin`",
        ]
    ]


def growth_ratios(records: list[Record]) -> dict[str, dict[str, Spread]]:
    """Of each list, by size: p50 over that at the smallest size, repetition by repetition."""
    found: dict[str, dict[str, Spread]] = {}
    growth = pick(records, kind="growth")
    sizes = [size for size in SIZES if pick(growth, size=size)]
    for name in dict.fromkeys(record["contender"] for record in growth):
        own = pick(growth, contender=name)
        base = {record["repetition"]: record["p50"] for record in pick(own, size=sizes[0])}
        for size in sizes:
            pairs = [(record["p50"], base.get(record["repetition"])) for record in pick(own, size=size)]
            value = spread(p50 / other for p50, other in pairs if other)
            if value is not None:
                found.setdefault(name, {})[size] = value
    return found


def growth_rows(records: list[Record]) -> list[list[str]]:
    found = growth_ratios(records)
    sizes = [size for size in SIZES if any(size in values for values in found.values())]
    if len(sizes) < 2:
        return [
            ["Lists and counts, largest ÷ smallest history", f"≤ {GROWTH_BOUND}", NONE, "not measured", ""]
        ]
    name, values = max(found.items(), key=lambda item: item[1][sizes[-1]].middle)
    worst = values[sizes[-1]]
    title = f"p50 of {len(found)} lists and counts, {sizes[-1]} ÷ {sizes[0]}"
    shown = f"{worst} at most ({name})"
    return [[title, f"≤ {GROWTH_BOUND}", shown, _met(worst.middle <= GROWTH_BOUND), "`make bench-growth`"]]


def _met(yes: bool) -> str:
    return "met" if yes else "**missed**"


def shown(values: Iterable[float | None], digits: int = 1) -> str:
    found = spread(value for value in values if value is not None)
    if found is None:
        return NONE
    return f"{found.middle:,.{digits}f} ({found.low:,.{digits}f}{TO}{found.high:,.{digits}f})"


def per_request(records: list[Record], who: str) -> str:
    """CPU milliseconds for a request."""
    if who == "client":
        spent = [(record["client_cpu"], record["requests"]) for record in records if "client_cpu" in record]
    else:
        spent = [(r["cpu"][who], r["requests"]) for r in records if who in r.get("cpu", {})]
    shares = [1000 * seconds / requests for seconds, requests in spent if requests]
    return f"{median(shares):.2f}" if shares else NONE


def case_section(records: list[Record]) -> list[str]:
    lines = []
    for case in dict.fromkeys(record["case"] for record in pick(records, kind="case")):
        own = pick(records, kind="case", case=case)
        rows = []
        for connections in sorted({record["connections"] for record in own}):
            for contender in dict.fromkeys(record["contender"] for record in own):
                runs = pick(own, contender=contender, connections=connections)
                against = spread(ratios(own, "rate", contender, SELECT, connections))
                rows.append(
                    [
                        str(connections),
                        contender,
                        shown(run["rate"] for run in runs),
                        str(against) if against and contender != SELECT else NONE,
                        shown((run["p50"] for run in runs), 2),
                        shown((run["p99"] for run in runs), 2),
                        " / ".join(per_request(runs, who) for who in ("server", "database", "client")),
                    ]
                )
        head = ["connections", "contender", "requests/s", f"÷ {SELECT}", "p50 ms", "p99 ms"]
        lines += [f"### {own[0]['title']}", ""]
        lines += table([*head, "CPU ms a request: server / database / wrk"], rows)
    return lines


def noise_section(records: list[Record]) -> list[str]:
    found = pick(records, case="noise")
    if not found:
        return []
    rows = []
    for contender in dict.fromkeys(record["contender"] for record in found):
        runs = pick(found, contender=contender)
        beside = shown((run["logins"] for run in runs if run["logins"]), 1)
        rows.append(
            [contender, shown((r["p50"] for r in runs), 1), shown((r["p99"] for r in runs), 1), beside]
        )
    head = ["GET /auth/me, 8 connections", "p50 ms", "p99 ms", "logins/s"]
    return ["## While others log in", "", *table(head, rows)]


def memory_section(records: list[Record]) -> list[str]:
    found = pick(records, case="memory")
    rows = []
    for record in found:
        for done, workers in record["samples"]:
            rows.append([record["contender"], f"{done:,}", ", ".join(f"{kib / 1024:.1f}" for kib in workers)])
    if not rows:
        return []
    head = ["server", "requests", "MiB PSS of each worker"]
    # Ten points of each tell the story.
    kept = []
    for name in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == name]
        step = max(1, len(own) // 9)
        kept += own[:-1:step] + own[-1:]
    return ["## Memory", "", *table(head, kept)]


def admin_section(records: list[Record]) -> list[str]:
    found = pick(records, case="admin")
    if not found:
        return []
    rows = [[r["contender"], f"`{r['path']}`", f"{r['p50']:.1f}", f"{r['longest']:.1f}"] for r in found]
    return ["## Admin", "", *table(["page", "path", "p50 ms, 1 connection", "longest ms"], rows)]


def growth_section(records: list[Record]) -> list[str]:
    found = growth_ratios(records)
    if not found:
        return []
    growth = pick(records, kind="growth")
    sizes = [size for size in SIZES if pick(growth, size=size)]
    rows = []
    for name, values in found.items():
        cells = [shown((r["p50"] for r in pick(growth, contender=name, size=size)), 2) for size in sizes]
        rows.append([name, *cells, str(values[sizes[-1]]) if sizes[-1] in values else NONE])
    head = ["p50 in ms, 8 connections", *sizes, f"{sizes[-1]} ÷ {sizes[0]}"]
    return [
        "## Cost against history",
        "",
        *picture("growth", "p50 by size of the history"),
        *table(head, rows),
    ]


def picture(name: str, text: str) -> list[str]:
    return [
        "<picture>",
        f'  <source media="(prefers-color-scheme: dark)" srcset="plots/{name}-dark.svg">',
        f'  <img alt="{text}" src="plots/{name}-light.svg">',
        "</picture>",
        "",
    ]


def machine_lines(records: list[Record]) -> list[str]:
    found = pick(records, kind="machine")
    if not found:
        return []
    last = found[-1]
    facts = ["processor", "cores", "memory", "system", "python", "load", "commit"]
    taken = "; ".join(f"{fact} {last[fact]}" for fact in facts if fact in last)
    return [f"Taken {last['run']} on: {taken}.", ""]


def render(records: list[Record]) -> str:
    """The report as Markdown."""
    records = [record for record in records if record["kind"] != "done"]  # for RESUME alone
    postgresql = pick(records, database="postgresql")
    plain = [record for record in postgresql if record["kind"] != "growth" and record.get("case") != "growth"]
    sizes = {record["size"] for record in pick(plain, kind="case")}
    size = next((size for size in PREFERRED if size in sizes), "1m")
    main = [record for record in postgresql if record["size"] == size and record.get("case") != "growth"]
    growth = pick(postgresql, case="growth")
    lines = [
        "# What the benchmark found",
        "",
        f"PostgreSQL, {size} messages, 2 workers, throttles off. [README.md](README.md) says what runs and"
        " how to repeat it. Ratios are medians of the repetitions' own ratios, with their range; absolute"
        " figures belong to the machine:",
        "",
        *machine_lines(main),
        "## Targets",
        "",
        *table(["target", "wanted", "at 8 and 16 connections", "", "command"], target_rows([*main, *growth])),
        "## Endpoints",
        "",
        *picture("endpoints", "Each endpoint against the peer and its floors"),
        *case_section(main),
        *noise_section(main),
        *memory_section(main),
        *admin_section(main),
        *growth_section(growth),
    ]
    lite = pick(records, database="sqlite", kind="case")
    if lite:
        lines += ["## SQLite", "", *case_section(lite)]
    if NOTES.exists():
        lines += ["## What stands in the way", "", NOTES.read_text().strip(), ""]
    return "\n".join(lines).rstrip() + "\n"


def build_report(folder: Path = FOLDER) -> None:
    """Reads folder/results, writes folder/report.md and folder/plots."""
    from benchmarks.plots import draw

    paths = [path for path in sorted((folder / "results").glob("*.jsonl")) if path.name != "quick.jsonl"]
    records = read_results(paths)
    if not records:
        raise SystemExit("There are no results yet: make bench")
    (folder / "report.md").write_text(render(records))
    draw(records, folder / "plots")
    print(f"Wrote {folder / 'report.md'}")


if __name__ == "__main__":
    build_report(*map(Path, sys.argv[1:2]))
