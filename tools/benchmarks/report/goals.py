"""Whether the targets are met."""

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
    # The median decides; "range crosses" says that some repetition was out of bounds.
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
    # The largest worker's, half way and at the end.
    samples = record["samples"]
    return max(samples[len(samples) // 2][1]) / 1024, max(samples[-1][1]) / 1024


def _row(title: str, wanted: str, shown: str, met: bool, target: str) -> list[str]:
    return [title, wanted, shown, "met" if met else "**missed**", f"`make {target}`"]


def _unmeasured(title: str, wanted: str) -> list[list[str]]:
    return [[title, wanted, NONE, "not measured", ""]]


def memory_rows(records: list[Record]) -> list[list[str]]:
    found = {record["contender"]: worker_mib(record) for record in pick(records, case="memory")}
    title, wanted, command = "Worker memory at the end (MiB PSS)", f"≤ {WORKER_MIB}", "bench ONLY=memory"
    if "product" not in found:
        return _unmeasured(title, wanted)
    half, end = found["product"]
    growth = end / half - 1
    rows = [
        _row(title, wanted, f"{end:.1f}", end <= WORKER_MIB, command),
        _row("Its growth in the second half", "≤ 1 %", f"{growth:+.1%}", growth <= 0.01, command),
    ]
    if "peer" in found:
        share = end / found["peer"][1]
        wanted = f"≤ {WORKER_AGAINST_PEER}"
        rows.append(
            _row("Worker memory ÷ peer's", wanted, f"{share:.2f}", share <= WORKER_AGAINST_PEER, command)
        )
    return rows


def admin_rows(records: list[Record]) -> list[list[str]]:
    found = pick(records, case="admin")
    title, wanted = "Admin lists, p50", f"≤ {ADMIN_MS} ms"
    if not found:
        return _unmeasured(title, wanted)
    slowest = max(found, key=lambda record: float(record["p50"]))
    shown = f"{slowest['p50']:.0f} ms at most ({slowest['contender']}), of {len(found)}"
    return [_row(title, wanted, shown, slowest["p50"] <= ADMIN_MS, "bench ONLY=admin")]


def growth_rows(records: list[Record]) -> list[list[str]]:
    found = growth_ratios(records)
    sizes = [size for size in SIZES if any(size in values for values in found.values())]
    wanted = f"≤ {GROWTH_BOUND}"
    if len(sizes) < 2:
        return _unmeasured("Lists and counts, largest ÷ smallest history", wanted)
    name, values = max(found.items(), key=lambda item: item[1][sizes[-1]].middle)
    worst = values[sizes[-1]]
    title = f"p50 of {len(found)} lists and counts, {sizes[-1]} ÷ {sizes[0]}"
    return [_row(title, wanted, f"{worst} at most ({name})", worst.middle <= GROWTH_BOUND, "bench-growth")]
