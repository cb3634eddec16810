"""Shows the progress of long commands: bars on a terminal, lines elsewhere."""

from collections.abc import Iterator
from time import monotonic
from typing import IO, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

#: Yields, after each batch, how many rows are done, and of how many.
Steps = Iterator[tuple[int, int]]

#: Seconds between two lines.
LINE_INTERVAL = 5
_COLUMNS = (
    TextColumn("{task.description:<9}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


def follow(title: str, steps: Steps, out: OutputWrapper) -> None:
    written = _draw(title, steps, out) if out.isatty() else _list(title, steps, out)
    if not written:
        out.write(f"{title:<9} nothing to add")


def _draw(title: str, steps: Steps, out: OutputWrapper) -> int:
    written = 0
    # Past Django's wrapper, which would end each redraw with a newline.
    console = Console(file=cast(IO[str], out._out))
    with Progress(*_COLUMNS, console=console, transient=False) as progress:
        task = None
        for written, total in steps:
            task = progress.add_task(title, total=total) if task is None else task
            progress.update(task, completed=written)
    return written


def _list(title: str, steps: Steps, out: OutputWrapper) -> int:
    written, said = 0, monotonic()
    for written, total in steps:
        if written >= total or monotonic() - said > LINE_INTERVAL:
            out.write(f"{title:<9} {written:>9,} of {total:,}")
            said = monotonic()
    return written
