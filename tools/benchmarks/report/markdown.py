"""Parts of a Markdown page."""

from collections.abc import Iterable

from tools.benchmarks.results import TO, Record, pick, spread

#: An empty cell.
NONE = "-"


def table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def shown(values: Iterable[float | None], digits: int = 1) -> str:
    found = spread(value for value in values if value is not None)
    if found is None:
        return NONE
    return f"{found.middle:,.{digits}f} ({found.low:,.{digits}f}{TO}{found.high:,.{digits}f})"


def picture(name: str, text: str) -> list[str]:
    return [
        "<picture>",
        f'  <source media="(prefers-color-scheme: dark)" srcset="plots/{name}-dark.svg">',
        f'  <img alt="{text}" src="plots/{name}-light.svg">',
        "</picture>",
        "",
    ]


def machine_lines(records: list[Record], case: str) -> list[str]:
    found = pick(records, kind="machine", case=case)
    if not found:
        return []
    last = found[-1]
    facts = ["processor", "cores", "memory", "system", "python", "load", "commit"]
    taken = "; ".join(f"{fact} {last[fact]}" for fact in facts if fact in last)
    return [f"Taken {last['run']} on: {taken}.", ""]
