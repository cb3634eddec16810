"""`python -m tools.mutants [PATH ...]`: how many small mistakes in what matters most the tests notice.

On SQLite first, where a process has the database in its own memory; what survives there then on the
PostgreSQL that TEST_DATABASE_URL names.
"""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from time import monotonic

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tools.mutants.making import Mutant, mutants_of
from tools.mutants.record import POSTGRESQL, SQLITE, Record, forget_hung, row
from tools.mutants.running import SURVIVED, Mutating, Outcome

#: Percent of mutants that the tests must notice.
TARGET = 90
#: Seconds between two lines where the output is no terminal.
LINE_INTERVAL = 30

#: Tokens, authentication, permissions (which are querysets: who sees what) and services.
TARGETS = [
    "accounts/tokens.py",
    "accounts/authentication.py",
    "accounts/backends.py",
    "accounts/guesses.py",
    "accounts/querysets.py",
    "messaging/querysets.py",
    "reports/querysets.py",
    "aimessage/api/lists/filters.py",
    "aimessage/api/lists/listing.py",
    "aimessage/api/viewsets.py",
    "accounts/services/roles.py",
    "accounts/services/sessions.py",
    "accounts/services/users.py",
    "messaging/services/blocks.py",
    "messaging/services/keeping.py",
    "messaging/services/messages.py",
    "reports/services.py",
    "aimessage/audit/services.py",
    "aimessage/audit/chain.py",
]
#: What knows about them; the rest of the suite would only be watched for nothing.
TESTS = [
    *("accounts", "aimessage", "audit", "messaging", "reports"),
    *("tests/test_locks.py", "tests/test_log_words.py", "tests/test_permissions.py"),
    *(
        "tests/test_query_counts.py",
        "tests/test_two_writers.py",
        "operations/maintenance/tests/test_sweep.py",
    ),
]
WARM = "tools/mutants/warm.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="modules to mutate instead of all that count")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--tests", nargs="*", default=TESTS)
    parser.add_argument("--out", type=Path, help="a file for every mutant and what became of it")
    parser.add_argument("--resume", action="store_true", help="leave out what that file says of before")
    parser.add_argument("--again", type=Path, help="such a file: only what survived then")
    parser.add_argument(
        "--control",
        type=int,
        default=0,
        metavar="N",
        help="N mutants that are not put in place: each that is killed all the same is this tool's mistake",
    )
    options = parser.parse_args()
    if options.resume and not options.out:
        parser.error("--resume needs --out")

    started = monotonic()
    paths = options.paths or TARGETS
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    if options.again:
        before = Record(options.again)
        mutants = [mutant for mutant in mutants if before.of(mutant) and not before.killed(mutant)]
    if options.control:
        mutants = random.sample(mutants, options.control)
    print(f"{len(mutants)} mutants of {len(paths)} modules.", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        out = options.out or Path(folder, "mutants")
        if options.resume:
            forget_hung(out)
        else:
            out.write_text("")
        # What survives on SQLite has lines that run on PostgreSQL alone, or races that only it has.
        for name, url in {SQLITE: None, POSTGRESQL: os.environ.get("TEST_DATABASE_URL")}.items():
            if name == POSTGRESQL and not url:
                print(
                    "Only on SQLite, since TEST_DATABASE_URL names no PostgreSQL: some code runs there alone."
                )
                continue
            waiting = Record(out).waiting(mutants, name)
            print(f"{len(waiting)} to try on {name}.", flush=True)
            if waiting:
                # In a process of its own, since Django takes its settings once.
                work = partial(_try, waiting, name, url, out, options)
                process = multiprocessing.get_context("fork").Process(target=work)
                process.start()
                process.join()
        record = Record(out)
    score = _report(mutants, record, monotonic() - started)
    if not all(record.of(mutant) for mutant in mutants):
        print("The mutants were not tried to the end.")
        return 2
    return 1 if score < TARGET else 0


def _try(mutants: list[Mutant], name: str, url: str | None, out: Path, options: argparse.Namespace) -> None:
    for variable in ("DATABASE_URL", "TEST_DATABASE_URL"):
        os.environ.pop(variable, None)
    if url:
        os.environ["TEST_DATABASE_URL"] = url
    print("First the tests without any.", flush=True)
    quiet = [
        "-q",
        "--tb=native",
        "--no-header",
        "--no-summary",
        "-s",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
    ]
    with out.open("a") as file, _Progress(len(mutants)) as show:

        def tell(done: int, mutant: Mutant, outcome: Outcome) -> None:
            print(row(mutant, name, outcome), file=file, flush=True)
            show(done, mutant, outcome)

        plugin = Mutating(mutants, tell, jobs=options.jobs, control=options.control > 0)
        pytest.main([*quiet, WARM, *options.tests], plugins=[plugin])


class _Progress:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.survived = 0
        self.said = monotonic()
        self.bar: Progress | None = None

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, done: int, mutant: Mutant, outcome: Outcome) -> None:
        self.survived += outcome[0] == SURVIVED
        where = f"{mutant.path} ({self.survived} survived)"
        if sys.stdout.isatty():
            if self.bar is None:
                columns = (
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(),
                )
                self.bar = Progress(*columns, console=Console())
                self.task = self.bar.add_task("", total=self.total)
                self.bar.start()
            self.bar.update(self.task, completed=done, description=where)
        elif done == self.total or monotonic() - self.said > LINE_INTERVAL:
            print(f"{done:>5} of {self.total}  {where}", flush=True)
            self.said = monotonic()


def _report(mutants: list[Mutant], record: Record, seconds: float) -> float:
    """Prints what became of them; returns the percentage of those tried that was noticed."""
    tried = [mutant for mutant in mutants if record.of(mutant)]
    made = Counter(mutant.path for mutant in mutants)
    done = Counter(mutant.path for mutant in tried)
    killed = Counter(mutant.path for mutant in tried if record.killed(mutant))
    for mutant in tried:
        if not record.killed(mutant):
            print(mutant.diff())
    print(f"\n{'module':<34}{'mutants':>8}{'tried':>8}{'killed':>8}{'score':>9}")

    def line(name: str, made: int, done: int, killed: int) -> str:
        score = f"{100 * killed / done:.1f}%" if done else "-"
        return f"{name:<34}{made:>8}{done:>8}{killed:>8}{score:>9}"

    for path, count in made.items():
        print(line(path, count, done[path], killed[path]))
    hung = sum(record.hung(mutant) for mutant in tried)
    print(f"{line('all', len(mutants), len(tried), killed.total())}   in {seconds / 60:.0f} minutes")
    print(f"{hung} of those killed hung or died.")
    score = 100 * killed.total() / max(len(tried), 1)
    if tried and score < TARGET:
        print(f"The score is below {TARGET} %.")
    return score


if __name__ == "__main__":
    sys.exit(main())
