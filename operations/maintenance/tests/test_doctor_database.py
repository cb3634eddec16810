"""What the doctor says of the database."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import NotSupportedError
from django.utils import timezone

from operations.maintenance.doctor import database, examination, machine
from operations.maintenance.doctor.findings import Finding, Level
from operations.maintenance.tests.doctor_states import ERROR, OK, SKIPPED, WARNING, check


@pytest.mark.django_db
def test_the_database_of_the_tests_is_in_order() -> None:
    states = {name: finding.level for name, finding in examination.examine()}

    asked = ["database", "migrations", "durability", "encoding", "collation", "connections", "clock"]
    asked += ["indexes", "journal", "file system", "shared counts", "demo accounts", "sweep"]
    for name in asked:
        # A database in memory has no journal, and lies nowhere.
        if connection.vendor == "postgresql" or name not in {"journal", "file system"}:
            assert states[name] in {OK, SKIPPED}, name
    assert (states["collation"] is SKIPPED) == (connection.vendor == "sqlite")
    assert states["database"] is states["migrations"] is OK


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the database be of that kind, and answer what is asked by a part of the question."""

    def answer(vendor: str, **replies: Any) -> None:
        def rows(query: str) -> list[Any]:
            (reply,) = (reply for part, reply in replies.items() if part in query)
            return reply if isinstance(reply, list) else [(reply,)]

        place = {"NAME": "/tmp/x.sqlite3"}  # noqa: S108
        fake = SimpleNamespace(vendor=vendor, settings_dict=place, behind_pooler=lambda: False)
        monkeypatch.setattr(database, "connection", fake)
        monkeypatch.setattr(database, "_rows", rows)

    return answer


GOOD = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
SLOTS = {"superuser_reserved_connections": "3"}


@pytest.mark.parametrize(
    ("checked", "replies", "level", "words"),
    [
        ("durability", GOOD, OK, ""),
        ("durability", {**GOOD, "synchronous_commit": "local"}, OK, ""),
        ("durability", {**GOOD, "fsync": "off"}, ERROR, "fsync=off"),
        ("durability", {**GOOD, "synchronous_commit": "off"}, ERROR, "synchronous_commit=off"),
        ("durability", {**GOOD, "full_page_writes": "off"}, ERROR, "full_page_writes=off"),
        ("encoding", {"server_encoding": "UTF8"}, OK, ""),
        ("encoding", {"server_encoding": "SQL_ASCII"}, ERROR, "SQL_ASCII"),
        ("collation", {"und-x-icu": 1}, OK, ""),
        ("collation", {"und-x-icu": 0}, ERROR, "ICU"),
        ("connections", {**SLOTS, "max_connections": "100"}, OK, "up to 32"),
        ("connections", {**SLOTS, "max_connections": "60"}, WARNING, "second machine"),
        ("connections", {**SLOTS, "max_connections": "30"}, ERROR, "PgBouncer"),
        ("indexes", {"indisvalid": []}, OK, ""),
        ("indexes", {"indisvalid": [("message_keyed",)]}, ERROR, "DROP INDEX message_keyed"),
    ],
)
def test_postgresql(
    answers: Callable[..., None], checked: str, replies: dict[str, Any], level: Level, words: str
) -> None:
    answers("postgresql", **replies)
    check(getattr(database, checked)(), level, words)

    answers("sqlite")
    check(getattr(database, checked)(), SKIPPED)


@pytest.mark.parametrize(
    ("apart", "level"), [(0, OK), (-0.5, OK), (2, WARNING), (-2, WARNING), (31, ERROR), (-3600, ERROR)]
)
def test_clock(answers: Callable[..., None], apart: float, level: Level) -> None:
    answers("postgresql", clock_timestamp=timezone.now().timestamp() + apart)

    check(database.clock(), level, f"{abs(apart):.1f} s apart")


@pytest.mark.parametrize(("mode", "level"), [("wal", OK), ("delete", ERROR), ("memory", ERROR)])
def test_journal(answers: Callable[..., None], mode: str, level: Level) -> None:
    answers("sqlite", journal_mode=mode)
    check(database.journal(), level)

    answers("postgresql")
    check(database.journal(), SKIPPED)


@pytest.mark.parametrize(
    ("mounts", "level", "words"),
    [
        ("/dev/a / ext4 rw 0 0\n", OK, "ext4"),
        ("/dev/a / ext4 rw 0 0\nserver:/x /tmp nfs4 rw 0 0\n", ERROR, "nfs4"),
        ("server:/x / nfs4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n", OK, "tmpfs"),
        ("/dev/a / ext4 rw 0 0\nserver:/x /tm nfs4 rw 0 0\n", OK, "ext4"),
        ("x@y: /tmp fuse.sshfs rw 0 0\n", ERROR, "sshfs"),
        ("", OK, "local"),
    ],
)
def test_file_system(
    answers: Callable[..., None], tmp_path: Path, mounts: str, level: Level, words: str
) -> None:
    (tmp_path / "mounts").write_text(mounts)
    answers("sqlite")
    check(database.file_system(tmp_path / "mounts"), level, words)

    answers("postgresql")
    check(database.file_system(), SKIPPED)


def test_a_folder_that_sqlite_cannot_write_to(
    answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers("sqlite")
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    check(database.file_system(), ERROR, "cannot be written to")


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_shared_counts(answers: Callable[..., None], vendor: str) -> None:
    answers(vendor)

    check(database.shared_counts(), OK, "PostgreSQL" if vendor == "sqlite" else "not in the cache")


@pytest.mark.django_db
def test_migrations() -> None:
    check(database.migrations(), OK)

    recorder = MigrationRecorder(connection)
    recorder.record_applied("messaging", "0999_future")
    check(database.migrations(), ERROR, "messaging.0999_future is unknown")

    ((_, newest),) = MigrationLoader(connection).graph.leaf_nodes("messaging")
    recorder.record_unapplied("messaging", newest)
    check(database.migrations(), ERROR, f"1 to do: messaging.{newest} manage.py migrate")


@pytest.mark.postgres
@pytest.mark.django_db
def test_settings_of_a_session_and_a_half_built_index_are_seen_for_real() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'message_keyed'::regclass")

    check(database.durability(), ERROR, "synchronous_commit=off")
    check(database.indexes(), ERROR, "message_keyed")


@pytest.fixture
def elsewhere(django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A database that is not there."""
    lost = connection.copy()
    name = {"NAME": str(tmp_path / "missing" / "x")} if connection.vendor == "sqlite" else {"PORT": 1}
    lost.settings_dict = {**connection.settings_dict, **name, "PASSWORD": "s3cret"}
    for module in (database, machine):
        monkeypatch.setattr(module, "connection", lost)
    with django_db_blocker.unblock():
        yield


def test_without_a_database_the_other_checks_go_on(elsewhere: None) -> None:
    findings = dict(examination.examine())

    check(findings["database"], ERROR, "does not answer")
    check(findings["hosts"], OK)
    for name in ("migrations", "collation", "superuser", "sweep"):
        check(findings[name], SKIPPED, "does not answer")
    assert "s3cret" not in f"{findings}"


@pytest.mark.django_db
def test_a_server_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NotSupportedError("PostgreSQL 14 or later is required (found 12.1).")

    monkeypatch.setattr(connection._connections["default"], "ensure_connection", refuse)

    check(database.reachable(), ERROR, "PostgreSQL 14 or later is required (found 12.1). Upgrade")


def test_a_check_that_fails_itself_is_a_finding() -> None:
    def check_that_breaks() -> Finding:
        raise RuntimeError("with the password s3cret in it")

    finding = examination._run(check_that_breaks)

    check(finding, ERROR, "RuntimeError")
    assert "s3cret" not in f"{finding}"
