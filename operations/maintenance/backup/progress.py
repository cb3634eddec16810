from collections.abc import Callable
from pathlib import Path

#: Called often with a few words on the progress; a terminal shows the latest.
OnProgress = Callable[[str], None]


def megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.0f} MB"
