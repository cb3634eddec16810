"""Skips what only PostgreSQL can show, and empties the tables after transactional tests."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from pytest_django.plugin import blocking_manager_key


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if connection.vendor != "postgresql":
        skip = pytest.mark.skip(reason="SQLite has one writer, and so no such race")
        for item in items:
            if item.get_closest_marker("postgres"):
                item.add_marker(skip)


#: Empties PostgreSQL's tables after a transactional test. TRUNCATE creates new files for every table, which
#: takes half a second; DELETE of a few rows takes milliseconds. Tables with statistics are truncated all the
#: same, so that the next test's plans do not rest on them. Triggers do not fire.
EMPTY = """
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOREACH name IN ARRAY ARRAY[%s] LOOP
        IF (SELECT relpages FROM pg_class WHERE oid = name::regclass) > 0 THEN
            EXECUTE format('TRUNCATE %%s CASCADE', name);
        ELSE
            EXECUTE format('DELETE FROM %%s', name);
        END IF;
    END LOOP;
END $$
"""
#: Tables that keep their rows, so that no test has to fill them again.
KEPT = {"django_content_type", "auth_permission"}


@pytest.fixture(scope="session", autouse=True)
def _quick_to_empty() -> None:
    """Lets a transactional test end with DELETE, and without the signal that fills the tables in KEPT."""
    operations = type(connection.ops)
    sql_flush = operations.sql_flush

    def flush(self: Any, style: Any, tables: list[str], **options: Any) -> list[str]:
        emptied = [table for table in tables if table not in KEPT]
        if connection.vendor != "postgresql":
            # An import counts on from the ids that it brings, if no test left higher ones.
            return sql_flush(self, style, emptied, **{**options, "reset_sequences": True})
        return [EMPTY % ", ".join(f"'{self.quote_name(table)}'" for table in emptied)]

    operations.sql_flush = flush
    import_module("django.core.management.commands.flush").emit_post_migrate_signal = lambda *args: None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Puts back the rows that the migrations made, after a transactional test has emptied every table."""
    yield
    if nextitem is None:  # the test database is gone by now
        return
    mark = item.get_closest_marker("django_db")
    if mark is not None and mark.kwargs.get("transaction") and not item.get_closest_marker("skip"):
        moderator_role = import_module("reports.migrations.0002_moderator_role")
        with item.config.stash[blocking_manager_key].unblock():
            moderator_role.add_role(apps, None)
            connection.close()
