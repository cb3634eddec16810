"""Raw results as lines of JSON, one for each run of wrk, and the ratios between them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

Record = dict[str, Any]
#: Between the ends of a range, in the report.
TO = "\N{EN DASH}"


class Results:
    """Appends records to a file."""

    def __init__(self, path: Path, run: str) -> None:
        self.path, self.run = path, run
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, **record: object) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"run": self.run, **record}) + "\n")


def read_results(paths: Iterable[Path]) -> list[Record]:
    """Reads all records. Of each case, only the last run counts."""
    records = [json.loads(line) for path in paths for line in path.read_text().splitlines() if line.strip()]
    last = {group(record): record["run"] for record in sorted(records, key=lambda record: record["run"])}
    return [record for record in records if record["run"] == last[group(record)]]


def group(record: Record) -> tuple[str, ...]:
    return tuple(str(record.get(key, "")) for key in ("kind", "database", "size", "case"))


@dataclass(frozen=True)
class Spread:
    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}{TO}{self.high:.2f})"


def spread(values: Iterable[float]) -> Spread | None:
    found = sorted(values)
    return Spread(median(found), found[0], found[-1]) if found else None


def pick(records: Iterable[Record], **wanted: object) -> list[Record]:
    return [record for record in records if all(record.get(key) == value for key, value in wanted.items())]


def ratios(records: Iterable[Record], metric: str, one: str, other: str, connections: int) -> list[float]:
    """`metric` of contender `one` divided by that of `other`, for each repetition.

    The two runs of a repetition are seconds apart, so other load on the machine affects both.
    """
    values: dict[str, dict[int, float]] = {one: {}, other: {}}
    for record in pick(records, connections=connections):
        if record["contender"] in values:
            values[record["contender"]][record["repetition"]] = record[metric]
    pairs = [(value, values[other].get(number)) for number, value in sorted(values[one].items())]
    return [value / base for value, base in pairs if base]
