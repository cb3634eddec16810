"""The trail as a file."""

import codecs
import csv
import io
import json
from collections.abc import Iterator

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from accounts.models import User
from aimessage.audit.models import Entry
from aimessage.audit.tests.trails import trail
from aimessage.backoffice import export

EXPORT = "/admin/audit/entry/export/"


def rows(desk: Client, **chosen: str) -> list[dict[str, str]]:
    answer = desk.get(EXPORT, chosen)
    assert isinstance(answer, StreamingHttpResponse)
    assert answer["Content-Type"].startswith("text/csv; charset=utf-8")
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-')
    content = answer.getvalue()
    assert content.startswith(codecs.BOM_UTF8)  # without which Excel takes it for Windows-1252
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_file_has_every_column(desk: Client) -> None:
    row = trail(1, before={"comment": 'a "b"\nÉ'})[0]

    (found,) = rows(desk)

    assert found["number"] == "1"
    assert (found["who"], found["who_id"], found["act"]) == ("root", "1", "user.disabled")
    assert found["time"] == row.created_at.isoformat(timespec="microseconds")
    assert json.loads(found["before"]) == row.before
    assert (found["previous_hash"], found["hash"]) == (row.previous_hash, row.hash)


def test_the_file_has_what_the_list_selects(desk: Client) -> None:
    trail(2)
    trail(2, act="user.enabled", target_label="alice")
    trail(2, act="user.enabled")

    assert [row["number"] for row in rows(desk)] == ["6", "5", "4", "3", "2", "1"]
    assert [row["number"] for row in rows(desk, act="user.enabled", q="ali")] == ["4", "3"]
    assert rows(desk, act="nothing") == []
    assert desk.get(EXPORT, {"from": "yesterday"}).status_code == 302


def test_the_export_is_a_row(desk: Client, superuser: User) -> None:
    trail(1)

    rows(desk, act="user.disabled", q="bob")

    entry = Entry.objects.first()
    assert entry is not None
    assert (entry.act, entry.actor_id) == ("audit.exported", superuser.pk)
    # Not what was searched for, which is a name or an address.
    assert entry.after == {"act": "user.disabled", "q": "(not shown)"}


def test_the_file_is_as_long_as_the_trail_was(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    trail(5)
    answer = desk.get(EXPORT)
    trail(3)

    assert isinstance(answer, StreamingHttpResponse)
    assert len(answer.getvalue().decode().splitlines()) == 1 + 5


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_is_a_formula(desk: Client, first: str) -> None:
    trail(1, actor_name=f"{first}1+1", target_label=f"{first}cmd")

    (found,) = rows(desk)

    assert (found["who"], found["on_whom"]) == (f"'{first}1+1", f"'{first}cmd")


def test_rows_are_asked_for_in_batches(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(export, "BATCH", 10)
    trail(25)
    lines: Iterator[str] = export.export_csv(Entry.objects.all())

    sizes = [len(part.splitlines()) for part in lines]

    assert sizes == [1, 10, 10, 5]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "x;=cmd|' /C calc'!A0",
        "x; =1+1",
        'x;"=1+1"',
        'x;" =1+1;+1;-1;@x',
        "a|=1+1",
        ";;=1+1",
        " =1+1",
        '"=1+1',
        "x;\uff1d1+1",
        "\u2028;=1",
    ],
)
def test_no_cell_becomes_a_formula_however_the_file_is_split(desk: Client, delimiter: str, text: str) -> None:
    trail(1, actor_name=text, target_label=f"{text};{text}", before={"comment": text, "n;=1": [text]})

    answer = desk.get(EXPORT)
    assert isinstance(answer, StreamingHttpResponse)
    lines = answer.getvalue().decode("utf-8-sig")

    for strict in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        for row in csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, quoting=strict):
            for cell in row:
                begins = cell.lstrip(' \t\r\n"')[:1]
                # Where quotes count for nothing, each comma of a text would begin a cell.
                if not (strict == csv.QUOTE_NONE and delimiter == ","):
                    assert begins not in {*"=+-@\uff1d\uff0b\uff0d\uff20"}, cell
