"""The trail as CSV, row by row."""

import csv
import json
import re
from collections.abc import Iterator

from django.db.models import QuerySet

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
#: With these a spreadsheet lets a formula begin (OWASP, "CSV Injection"): at the beginning of a cell, or
#: after what spreadsheets of other locales split cells at. Blanks and quotes may stand before them.
_FORMULA = re.compile(r"""(^|[;\t\r\n|])(?=[\s"]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])""")
#: So that Excel takes the file for UTF-8.
_BOM = "\ufeff"


class _Line:
    """What csv.writer writes to: keeps the line, to be sent on."""

    def write(self, text: str) -> str:
        return text


def export_csv(entries: QuerySet[Entry]) -> Iterator[str]:
    """The lines of a CSV file (RFC 4180) of `entries`, the newest first, and a head line before them.

    It asks for one batch after the other, so that neither side keeps the whole, and a connection
    through a pooler will do.
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
    """`text`, with an apostrophe before whatever a spreadsheet would take for a formula."""
    return _FORMULA.sub(r"\1'", text)
