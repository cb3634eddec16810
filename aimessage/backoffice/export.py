"""Writes the audit trail as CSV, row by row."""

import csv
import json
import re
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from aimessage.audit.models import Entry

#: Rows that are held in memory at a time.
BATCH = 1000

COLUMNS = {
    "number": "id",
    "time": "created_at",
    "who": "actor_name",
    "who_id": "actor_id",
    "act": "act",
    "what_was_done": "sentence",
    "on_whom": "target_label",
    "on_whom_kind": "target_kind",
    "on_whom_id": "target_id",
    "address": "address",
    "request": "request_id",
    "before": "before",
    "after": "after",
    "previous_hash": "previous_hash",
    "hash": "hash",
}
#: Characters that begin a formula (OWASP, "CSV Injection") at the start of a cell, or after a separator of a
#: spreadsheet in another locale. Blanks and quotes may precede them.
_FORMULA = re.compile(r"""(^|[;\t\r\n|])(?=[\s"]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])""")
#: Excel then reads the file as UTF-8.
_BOM = "\ufeff"


class _Line:
    """A file for csv.writer, whose writerow() then returns the line."""

    def write(self, text: str) -> str:
        return text


def csv_response(entries: QuerySet[Entry]) -> StreamingHttpResponse:
    name = f"audit-{timezone.now():%Y%m%d-%H%M%S}.csv"
    return StreamingHttpResponse(
        export_csv(entries),
        content_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def export_csv(entries: QuerySet[Entry]) -> Iterator[str]:
    """The lines of a CSV file (RFC 4180), with a header, newest row first.

    Reads in batches, since a server-side cursor does not work through a pooler.
    """
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield _BOM + writer.writerow(COLUMNS)
    rows = list(entries.order_by("-pk")[:BATCH])
    while rows:
        yield "".join(writer.writerow(_cells(entry)) for entry in rows)
        rows = list(entries.filter(pk__lt=rows[-1].pk).order_by("-pk")[:BATCH])


def _cells(entry: Entry) -> list[str]:
    return [_harmless(_text(getattr(entry, name))) for name in COLUMNS.values()]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if hasattr(value, "isoformat"):
        return str(value.isoformat(timespec="microseconds"))
    return "" if value is None else str(value)


def _harmless(text: str) -> str:
    # An apostrophe makes a spreadsheet treat the cell as text.
    return _FORMULA.sub(r"\1'", text)
