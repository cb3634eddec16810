"""How cost grows with the number of messages."""

from tools.benchmarks.report.markdown import NONE, machine_lines, shown, table
from tools.benchmarks.results import Record, Spread, pick, spread

SIZES = ["10k", "100k", "1m", "10m"]


def growth_ratios(records: list[Record]) -> dict[str, dict[str, Spread]]:
    """For each list and size: p50 divided by that at the smallest size."""
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
        *machine_lines(records, "growth"),
        *table(head, rows),
    ]
