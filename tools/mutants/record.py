"""What became of every mutant, on which database: lines of a file that a later run can go on from."""

import json
from collections import defaultdict
from pathlib import Path

from tools.mutants.making import Mutant
from tools.mutants.running import HUNG, KILLED, Outcome

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


def row(mutant: Mutant, database: str, outcome: Outcome) -> str:
    return json.dumps([mutant.path, mutant.lines.start, mutant.function, *outcome, mutant.diff(), database])


class Record:
    def __init__(self, file: Path) -> None:
        #: (path, diff) → database → outcome
        self.outcomes: defaultdict[tuple[str, str], dict[str, Outcome]] = defaultdict(dict)
        for line in file.read_text().splitlines() if file.exists() else []:
            path, _, _, what, by, diff, database = json.loads(line)
            self.outcomes[path, diff][database] = what, by

    def of(self, mutant: Mutant) -> dict[str, Outcome]:
        return self.outcomes.get((mutant.path, mutant.diff()), {})

    def killed(self, mutant: Mutant) -> bool:
        return any(what == KILLED for what, _ in self.of(mutant).values())

    def hung(self, mutant: Mutant) -> bool:
        return any(by == HUNG for _, by in self.of(mutant).values())

    def waiting(self, mutants: list[Mutant], database: str) -> list[Mutant]:
        """Those to be tried on `database`: what was killed on another is done with."""
        return [mutant for mutant in mutants if not (self.killed(mutant) or database in self.of(mutant))]


def forget_hung(file: Path) -> None:
    """Has a later run try them once more: they may have hung for want of a processor."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    file.write_text("".join(line for line in lines if json.loads(line)[4] != HUNG))
