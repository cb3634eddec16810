"""`make coverage`: runs the whole suite, and checks the coverage of lines and of branches.

coverage's own percentage, and so `--cov-fail-under`, mixes the two.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

#: The least percentage of each.
TARGETS = {"lines": 98.0, "branches": 95.0}


def main() -> int:
    url = os.environ.pop("TEST_DATABASE_URL", None)
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    # Some code runs on one of the two databases only.
    for database, more in ((None, []), (url, ["--cov-append"])):
        if database is None and more:
            print("Only on SQLite, since TEST_DATABASE_URL names no PostgreSQL: some code runs there alone.")
            continue
        if database:
            environment["TEST_DATABASE_URL"] = database
        run = [sys.executable, "-m", "pytest", "-n", "auto", "--cov", "--cov-branch", "--cov-report="]
        if failed := subprocess.run([*run, *more, *sys.argv[1:]], env=environment, check=False).returncode:
            return failed
    return _report()


def _report() -> int:
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "report", "--skip-covered", "--show-missing"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "coverage.json")
        subprocess.run([*coverage, "json", "--quiet", "-o", str(out)], check=True)
        totals = json.loads(out.read_text())["totals"]
    counts = {
        "lines": (totals["covered_lines"], totals["num_statements"]),
        "branches": (totals["covered_branches"], totals["num_branches"]),
    }
    enough = True
    for what, (covered, count) in counts.items():
        percent = 100 * covered / count
        enough &= percent >= TARGETS[what]
        print(f"{what:<9} {percent:6.2f} %  {covered:>6} of {count}, at least {TARGETS[what]:g} %")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
