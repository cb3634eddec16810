"""Records which rows were refused or changed, and why."""

from dataclasses import dataclass

from operations.legacy_import.cells import read_text
from operations.legacy_import.models import Finding
from operations.legacy_import.writing import insert


@dataclass(slots=True)
class NewFinding:
    """The columns of `Finding`, without the cost of a model."""

    table: str
    row_id: str
    outcome: str
    reason: str
    detail: str
    id: None = None


class Findings:
    """The findings of one batch, written in its transaction."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.rows: list[NewFinding] = []
        self.refused = 0

    def refuse(self, row_id: object, reason: str, detail: str = "") -> None:
        self.refused += 1
        self._add(row_id, Finding.Outcome.REFUSED.value, reason, detail)

    def change(self, row_id: object, reason: str, detail: str = "") -> None:
        self._add(row_id, Finding.Outcome.CHANGED.value, reason, detail)

    def _add(self, row_id: object, outcome: str, reason: str, detail: str) -> None:
        shown = read_text(row_id)[:100] or "null"
        self.rows.append(NewFinding(self.table, shown, outcome, reason, detail[:200]))

    def write(self, *, using: str) -> None:
        insert(Finding, self.rows, using=using)
