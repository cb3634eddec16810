"""How much was tried, told by the processes of a test run to whoever watches it."""

import os
from pathlib import Path


def tell(what: str) -> None:
    """One byte for each, in a file of this process' own, whose size is their number."""
    if folder := os.environ.get("FUZZ_COUNTS"):
        with (Path(folder) / f"{what}-{os.getpid()}").open("ab", buffering=0) as file:
            file.write(b".")


def told(folder: Path, what: str) -> int:
    return sum(file.stat().st_size for file in folder.glob(f"{what}-*"))
