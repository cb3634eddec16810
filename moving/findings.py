"""What is remembered of rows that could not be taken, or not as they were."""

from typing import Any

from moving.cells import read_text
from moving.models import Finding


class Findings:
    """Of one batch; written with it."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.rows: list[Finding] = []

    def refuse(self, row_id: Any, reason: str, detail: str = "") -> None:
        self._add(row_id, Finding.Outcome.REFUSED, reason, detail)

    def change(self, row_id: Any, reason: str, detail: str = "") -> None:
        self._add(row_id, Finding.Outcome.CHANGED, reason, detail)

    def _add(self, row_id: Any, outcome: str, reason: str, detail: str) -> None:
        self.rows.append(
            Finding(
                table=self.table,
                row_id=read_text(row_id)[:100] or "null",
                outcome=outcome,
                reason=reason,
                detail=detail[:200],
            )
        )

    @property
    def refused(self) -> int:
        return sum(row.outcome == Finding.Outcome.REFUSED for row in self.rows)
