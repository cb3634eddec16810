from collections.abc import Callable
from pathlib import Path

#: Is told what goes on, often; a terminal shows the last.
Tell = Callable[[str], None]


def megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.0f} MB"
