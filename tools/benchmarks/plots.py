"""The pictures of the report, for light and for dark pages."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tools.benchmarks.report.document import PREFERRED
from tools.benchmarks.results import Record, pick, ratios, spread
from tools.benchmarks.targets import SELECT

THEMES = {
    "light": {"ink": "#1f2328", "quiet": "#59636e", "grid": "#d1d9e0", "page": "#ffffff"},
    "dark": {"ink": "#e6edf3", "quiet": "#9198a1", "grid": "#3d444d", "page": "#0d1117"},
}
COLOURS = {
    "light": {"product": "#0969da", "peer": "#bc4c00", "SQL": "#59636e"},
    "dark": {"product": "#4493f8", "peer": "#f0883e", "SQL": "#9198a1"},
}
MARKS = {"product": "o", "peer": "s", "SQL": "|"}
#: Case, suffix of the contender's name, title in the picture, and the bound of the target.
READS = [
    ("me", "", "GET /auth/me", 0.5),
    ("message", "", "GET /messages/{id}", 0.5),
    ("unread", "", "GET /messages/unread/count", 0.5),
    ("messages", "", "GET /messages (100 rows)", 0.35),
    ("messages", ", hot", "GET /messages, hot user", 0.35),
    ("conversations", "", "GET /auth/conversations (20)", 0.35),
    ("conversations", ", hot, 50 of 2,000", "GET /auth/conversations (50 of 2,000)", 0.35),
    ("conversation", "", "GET conversation messages (100 rows)", 0.35),
    ("reports", "", "GET /reports (100 rows)", 0.35),
]
WRITES = [
    ("send", "", "POST /messages", 0.6),
    ("read", "", "PUT /messages/{id}/read", 0.6),
]


def draw(records: list[Record], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    postgresql = pick(records, database="postgresql")
    sizes = {record["size"] for record in pick(postgresql, kind="case")}
    size = next((size for size in PREFERRED if size in sizes), None)
    own = pick(postgresql, kind="case", size=size)
    for theme in THEMES if own else ():
        save(endpoints(own, theme), folder / f"endpoints-{theme}.svg")


def save(figure: Figure, path: Path) -> None:
    # Without a date or random ids, so that the same results give the same file.
    with plt.rc_context({"svg.hashsalt": "aimessage"}):
        figure.savefig(path, metadata={"Date": None}, bbox_inches="tight", facecolor=figure.get_facecolor())
    plt.close(figure)


def styled(theme: str) -> dict[str, object]:
    look = THEMES[theme]
    return {
        "font.size": 9,
        "font.family": "DejaVu Sans",
        "text.color": look["ink"],
        "axes.labelcolor": look["quiet"],
        "axes.edgecolor": look["grid"],
        "axes.facecolor": look["page"],
        "figure.facecolor": look["page"],
        "xtick.color": look["quiet"],
        "ytick.color": look["ink"],
        "grid.color": look["grid"],
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
    }


def endpoints(records: list[Record], theme: str) -> Figure:
    with plt.rc_context(styled(theme)):
        figure, (above, below) = plt.subplots(
            2, 1, figsize=(8.4, 5.6), height_ratios=[len(READS), len(WRITES) + 0.4], layout="constrained"
        )
        share(above, records, READS, SELECT, theme, ("product", "peer", "SQL"))
        above.set_title(f"Requests a second ÷ {SELECT} (8 connections)", loc="left", fontsize=10)
        share(below, records, WRITES, "SQL", theme, ("product", "peer"))
        below.set_title(
            "Requests a second ÷ the endpoint's own SQL in one transaction", loc="left", fontsize=10
        )
        handles, labels = above.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower right",
            frameon=False,
            labelcolor=THEMES[theme]["ink"],
            ncols=4,
        )
    return figure


def share(
    axes: Axes, records: list[Record], kinds: list[tuple[str, str, str, float]], floor: str, theme: str,
    contenders: tuple[str, ...],
) -> None:  # fmt: skip
    colours = COLOURS[theme]
    for place, (case, suffix, _, bound) in enumerate(kinds):
        own = pick(records, case=case)
        for line, contender in enumerate(contenders):
            height = place + 0.2 * (line - (len(contenders) - 1) / 2)
            found = spread(ratios(own, "rate", f"{contender}{suffix}", floor, 8))
            if found is None:
                continue
            axes.plot(
                [found.low, found.high], [height, height], color=colours[contender], linewidth=2, alpha=0.5
            )
            axes.plot(
                [found.middle], [height], MARKS[contender], color=colours[contender], markersize=6,
                markeredgewidth=2, label=contender if place == 0 else None,
            )  # fmt: skip
        axes.plot(
            [bound, bound], [place - 0.38, place + 0.38], ":", color=THEMES[theme]["ink"], linewidth=1,
            label="target" if place == 0 else None,
        )  # fmt: skip
    axes.set_yticks(range(len(kinds)), [title for *_, title, _ in kinds])
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.tick_params(length=0)
    axes.grid(axis="y", visible=False)
