"""`make fuzz`: the generated requests and the random histories at length, on both databases.

`FUZZ_ON=postgresql make fuzz` does it on one of them, `FUZZ_REQUESTS` and `HISTORIES` say how many.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.fuzzing.counts import told

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "test-artifacts"
#: How many there must be, on each database.
WANTED = {
    "requests": int(os.environ.get("FUZZ_REQUESTS", "20000")),
    "histories": int(os.environ.get("HISTORIES", "2000")),
}
#: Drawn per operation for so many requests; those for every rule that one could break come on top.
EXAMPLES = max(WANTED["requests"] // 115, 1)
#: Seconds between two looks, on a terminal and elsewhere.
LOOKS = 1 if sys.stdout.isatty() else 30


def environment(url: str | None, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    chosen = {"TEST_DATABASE_URL": url} if url else {}
    return {
        **kept,
        **chosen,
        "FUZZ_EXAMPLES": str(EXAMPLES),
        "HISTORIES": str(WANTED["histories"]),
        "FUZZ_COUNTS": str(folder),
    }


def show(name: str, folder: Path, start: float) -> None:
    parts = [f"{told(folder, what):,} of {wanted:,} {what}" for what, wanted in WANTED.items()]
    line = (
        f"{name:<10}  {'  '.join(f'{part:<28}' for part in parts)}  {(time.monotonic() - start) / 60:.0f} min"
    )
    print(line, end="\r" if sys.stdout.isatty() else "\n", flush=True)


def fuzz(name: str, url: str | None, more: list[str]) -> bool:
    """Whether everything held, and there was enough of it."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "auto",
        # Some take a hundred times as long as others: whoever has nothing left takes from the rest.
        "--dist",
        "worksteal",
        "--no-header",
        "tools/fuzzing",
        "tests/histories",
    ]
    LOGS.mkdir(exist_ok=True)
    log, start = LOGS / f"fuzz-{name}.log", time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, log.open("wb") as out:
        folder = Path(temporary)
        running = subprocess.Popen(
            [*command, *more], cwd=ROOT, env=environment(url, folder), stdout=out, stderr=out
        )
        while running.poll() is None:
            show(name, folder, start)
            try:
                running.wait(LOOKS)
            except subprocess.TimeoutExpired:
                continue
            except KeyboardInterrupt:
                running.wait()
                raise
        counts = {what: told(folder, what) for what in WANTED}
    held = running.returncode == 0
    if not held:
        print(log.read_text(errors="replace"))
    enough = all(counts[what] >= wanted for what, wanted in WANTED.items())
    figures = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    verdict = "everything held" if held else f"FAILED, see {log.relative_to(ROOT)}"
    verdict += "" if enough else ", TOO FEW"
    print(f"{name}: {figures} in {(time.monotonic() - start) / 60:.1f} min: {verdict}{' ' * 30}", flush=True)
    return held and enough


def main() -> int:
    databases = {"sqlite": None, "postgresql": os.environ["TEST_DATABASE_URL"]}
    if only := os.environ.get("FUZZ_ON"):
        databases = {only: databases[only]}
    held = [fuzz(name, url, sys.argv[1:]) for name, url in databases.items()]
    return 0 if all(held) else 1


sys.exit(main())
