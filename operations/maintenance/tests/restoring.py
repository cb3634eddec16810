"""Restoring a backup, as the tests do it."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from operations.maintenance.backup.manifest import LEFT_OUT
from operations.maintenance.tests.conftest import Stock
from operations.maintenance.tests.databases import Rows, all_rows


def restore(path: Path, **options: Any) -> str:
    out = StringIO()
    call_command("restore", str(path), stdout=out, **options)
    return out.getvalue()


def kept_rows() -> Rows:
    """The rows of all tables that a backup has."""
    return {name: rows for name, rows in all_rows().items() if name not in {*LEFT_OUT, "events_state"}}


def refused(stock: Stock, path: Path, match: str, **options: Any) -> None:
    """Asserts that the restore is refused, and that the database with the account is as it was."""
    with stock.databases.use(stock.other):
        before = all_rows()
        with pytest.raises(CommandError, match=match):
            restore(path, **options)
        assert all_rows() == before
