"""What is not restored."""

import json
import resource
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import connection

from accounts.models import User
from operations.maintenance.backup.manifest import manifest_path
from operations.maintenance.tests.conftest import Stock
from operations.maintenance.tests.databases import Databases, all_rows
from operations.maintenance.tests.restoring import kept_rows, refused, restore


def edit_manifest(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    raw = json.loads(manifest_path(path).read_text())
    edit(raw)
    manifest_path(path).write_text(json.dumps(raw))


def test_a_database_that_holds_something_is_destroyed_only_by_force(
    stock: Stock, databases: Databases, backup: Path
) -> None:
    rows = kept_rows()
    refused(stock, backup, r"not empty: it holds 1 rows \(1 in accounts_user\).*--force")

    with databases.use(databases.make(stock.other)):
        restore(backup, force=True)
        assert kept_rows() == rows


def damage(backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 0xFF
    backup.write_bytes(content)


def cut(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (damage, "is damaged"),
        (cut, "is damaged"),
        (lambda backup: backup.unlink(), "No such file"),
        (lambda backup: manifest_path(backup).unlink(), "json is missing"),
        (lambda backup: manifest_path(backup).write_text("{}"), "cannot be read"),
        (lambda backup: manifest_path(backup).write_text("[1"), "cannot be read"),
        (lambda backup: edit_manifest(backup, lambda raw: raw.update(format=2)), "another release"),
    ],
)
def test_a_damaged_backup_is_refused_and_changes_nothing(
    stock: Stock, backup: Path, spoil: Callable[[Path], None], match: str
) -> None:
    spoil(backup)

    refused(stock, backup, match, force=True)


def test_rows_that_the_manifest_does_not_know_are_not_restored(stock: Stock, backup: Path) -> None:
    def forge(raw: dict[str, Any]) -> None:
        (name,) = (name for name in raw["contents"]["tables"] if name.endswith("messaging_message"))
        raw["contents"]["tables"][name]["digest"] += "1"

    edit_manifest(backup, forge)

    refused(stock, backup, "manifest", force=True)


def test_a_backup_of_the_other_database_is_refused(stock: Stock, backup: Path) -> None:
    edit_manifest(backup, lambda raw: raw["contents"].update(vendor="oracle"))

    refused(stock, backup, "The backup is of oracle", force=True)


def test_a_backup_of_a_newer_release_is_refused(stock: Stock, backup: Path) -> None:
    edit_manifest(backup, lambda raw: raw["contents"]["migrations"].append("messaging.0999_future"))

    refused(stock, backup, "does not know its migration messaging.0999_future", force=True)


def test_a_backup_of_an_older_release_says_to_migrate(databases: Databases, backup: Path) -> None:
    edit_manifest(backup, lambda raw: raw["contents"]["migrations"].remove("messaging.0002_message_keyed"))

    with databases.use(databases.make()):
        assert "before 1 migration(s) of this release. Run: manage.py migrate" in restore(backup)


def test_a_database_in_use_is_not_replaced(stock: Stock, backup: Path) -> None:
    with stock.databases.use(stock.other):
        server = connection.copy()
        with closing(server), server.cursor() as cursor:
            cursor.execute("SELECT 1")
            with pytest.raises(CommandError, match="Stop the server first"):
                restore(backup, force=True)
        assert list(User.objects.values_list("username", flat=True)) == ["precious"]


def test_a_check_restores_nothing(stock: Stock, backup: Path) -> None:
    with stock.databases.use(stock.other):
        assert "whole" in restore(backup, check=True)
        assert User.objects.count() == 1
    damage(backup)
    refused(stock, backup, "is damaged", check=True)


def test_a_restore_that_runs_into_a_full_disk_changes_nothing(stock: Stock, backup: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the disk is the server's; a restore that is cut off is tested below")
    with stock.databases.use(stock.other):
        before = all_rows()
        size = Path(stock.other).stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        assert backup.stat().st_size > size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4096, hard))
        try:
            with pytest.raises(CommandError, match="Nothing was restored"):
                restore(backup, force=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert all_rows() == before
