"""The targets, and whether they are met."""

from tools.benchmarks.report.growth import SIZES, growth_ratios
from tools.benchmarks.report.markdown import NONE
from tools.benchmarks.results import Record, Spread, pick, ratios, spread
from tools.benchmarks.targets import (
    ADMIN_MS,
    GROWTH_BOUND,
    TARGETS,
    WORKER_AGAINST_PEER,
    WORKER_MIB,
    Target,
)

TARGET_HEAD = ["target", "wanted", "at 8 and 16 connections", "", "command"]


def verdict(target: Target, found: Spread | None) -> str:
    """Whether the median is within the bound, and whether every single repetition is."""
    if found is None:
        return "not measured"
    if not target.met(found.middle):
        return "**missed**"
    return "met" if target.met(found.low) and target.met(found.high) else "met, range crosses"


def target_rows(records: list[Record]) -> list[list[str]]:
    rows = [target_row(target, records) for target in TARGETS]
    return [*rows, *memory_rows(records), *admin_rows(records), *growth_rows(records)]


def target_row(target: Target, records: list[Record]) -> list[str]:
    own = pick(records, case=target.case)
    at = sorted({record["connections"] for record in own})
    found = {n: spread(ratios(own, target.metric, target.one, target.other, n)) for n in at}
    cells = [f"{n}: {value}" for n, value in found.items() if value is not None]
    verdicts = {verdict(target, value) for value in found.values() if value is not None}
    worst = next(
        (word for word in ("**missed**", "met, range crosses", "met") if word in verdicts), "not measured"
    )
    command = f"`make bench ONLY={target.case}`"
    return [target.title, target.wanted, "<br>".join(cells) or NONE, worst, command]


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
