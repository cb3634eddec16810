"""Puts the report together."""

from pathlib import Path

from tools.benchmarks.report.endpoints import case_section
from tools.benchmarks.report.goals import TARGET_HEAD, target_rows
from tools.benchmarks.report.growth import growth_section
from tools.benchmarks.report.markdown import machine_lines, picture, table
from tools.benchmarks.results import Record, pick, read_results

FOLDER = Path(__file__).parents[1]
#: Written by hand, about missed targets: the last part of the report.
NOTES = FOLDER / "notes.md"
#: The report is about the first of these sizes that was measured.
PREFERRED = ["1m", "100k", "10k", "10m"]


def render(records: list[Record]) -> str:
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
        *machine_lines(main, "machine"),
        "## Targets",
        "",
        *table(TARGET_HEAD, target_rows([*main, *growth])),
        "## Endpoints",
        "",
        *picture("endpoints", "Each endpoint against the peer and its floors"),
        *case_section(main),
        *growth_section(growth),
    ]
    if NOTES.exists():
        lines += ["## What stands in the way", "", NOTES.read_text().strip(), ""]
    return "\n".join(lines).rstrip() + "\n"


def build_report(folder: Path = FOLDER) -> None:
    from tools.benchmarks.plots import draw

    paths = [path for path in sorted((folder / "results").glob("*.jsonl")) if path.name != "quick.jsonl"]
    records = read_results(paths)
    if not records:
        raise SystemExit("There are no results yet: make bench")
    (folder / "report.md").write_text(render(records))
    draw(records, folder / "plots")
    print(f"Wrote {folder / 'report.md'}")
