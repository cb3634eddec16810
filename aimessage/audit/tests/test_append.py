"""Appending is all that can be done to the trail."""

import logging

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import TestCase

from aimessage.audit.chain import hash_of
from aimessage.audit.models import Entry, Head
from aimessage.audit.querysets import AppendOnly
from aimessage.audit.tests.trails import trail

pytestmark = pytest.mark.django_db


def test_rows_are_numbered_from_one_without_gaps() -> None:
    trail(2)
    with transaction.atomic():
        trail(1)
        transaction.set_rollback(True)
    trail(1)

    assert list(Entry.objects.order_by("pk").values_list("pk", flat=True)) == [1, 2, 3]
    assert Head.objects.get().number == 3


def test_python_changes_and_deletes_no_row() -> None:
    row = trail(1)[0]
    row.sentence = "Nothing was done."
    rows = Entry.objects.all()

    for attempt in (
        row.save,
        row.delete,
        lambda: row.save(update_fields=["sentence"]),
        lambda: rows.update(sentence=""),
        lambda: rows.filter(pk=1).delete(),
        lambda: rows.bulk_update([row], ["sentence"]),
        lambda: rows.update_or_create(pk=1, defaults={"sentence": ""}),
        lambda: rows.create(pk=2),
        lambda: Entry._base_manager.update(sentence=""),
        lambda: Entry._base_manager.all().delete(),
    ):
        with pytest.raises(AppendOnly):
            attempt()
    assert Entry.objects.get().sentence == "Disabled."


def test_the_database_changes_no_row() -> None:
    trail(1)
    statements = ["UPDATE audit_entry SET sentence = ''"]
    if connection.vendor == "postgresql":
        statements.append("DELETE FROM audit_entry")

    for statement in statements:
        with pytest.raises(DatabaseError, match="only appended to"), transaction.atomic():
            connection.cursor().execute(statement)
    assert Entry.objects.get().sentence == "Disabled."


def test_each_row_is_logged_once_it_is_stored(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("audit").addHandler(caplog.handler)
    with TestCase.captureOnCommitCallbacks(execute=True) as callbacks:
        row = trail(1)[0]
    logging.getLogger("audit").removeHandler(caplog.handler)

    assert len(callbacks) == 1
    assert f"appended: 1:{row.hash} act=user.disabled actor=1" in caplog.messages


def test_json_is_hashed_as_the_database_gives_it_back() -> None:
    values = {
        "z": [1, "ä", None],
        "a": {"é": True},
        "big": 2**63 - 1,
        "text": "\u2028 \U0001f600 '\" \\u0000",
    }
    trail(1, before=values)

    stored = Entry.objects.get()
    assert stored.before == values
    assert hash_of(stored) == stored.hash
