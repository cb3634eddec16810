"""Backup and restore through PostgreSQL's own programs, of several releases."""

import os
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from messaging.models import Message
from operations.maintenance.backup.client import Client
from operations.maintenance.backup.writing import write_backup
from operations.maintenance.tests.conftest import Stock
from operations.maintenance.tests.databases import Databases, all_indexes
from operations.maintenance.tests.restoring import kept_rows, refused, restore
from tests.factories import MessageFactory

pytestmark = pytest.mark.waits


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a script in front of the program of that name."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return folder

    return put


@pytest.mark.postgres
def test_without_pg_dump_the_package_is_named(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError, match=r"pg_dump is not installed.*apt install postgresql-client"):
        call_command("backup", str(tmp_path / "backup"))


@pytest.mark.postgres
def test_a_pg_dump_older_than_the_server_is_told(source: str, tmp_path: Path, program: Any) -> None:
    program("pg_dump", 'echo "pg_dump (PostgreSQL) 9.6.24"')

    with pytest.raises(CommandError, match=r"pg_dump is of version 9, .* postgresql-client-\d+"):
        call_command("backup", str(tmp_path / "backup"))


#: What pg_restore says first, from version 17 on; servers before 17 do not know the setting.
NEWER = "sed '0,/^SET statement_timeout/s//SET transaction_timeout = 0;\\nSET statement_timeout/'"


@pytest.fixture
def client_of(program: Any) -> Callable[..., None]:
    """Makes PostgreSQL's programs those of another version; `restores` says how pg_restore writes."""

    def put(*versions: str, restores: str = "cat") -> None:
        for name, version in zip(("pg_dump", "pg_restore", "psql"), versions, strict=True):
            real = shutil.which(name)
            output = f" | {restores}" if name == "pg_restore" else ""
            program(
                name,
                f'case "$*" in *--version*) echo "{name} (PostgreSQL) {version}"; exit;; esac\n'
                f'set -o pipefail; "{real}" "$@"{output}',
            )

    return put


@pytest.mark.postgres
@pytest.mark.parametrize("ours", ["15.20", "16.2", "17.6 (Debian 17.6-1)", "18.4", "99beta1"])
def test_a_newer_client_restores_what_it_backed_up(
    databases: Databases, source: str, tmp_path: Path, client_of: Any, ours: str
) -> None:
    rows, indexes = kept_rows(), all_indexes()
    server = connection.pg_version // 10000
    if int(ours[:2]) < server:
        pytest.skip("older than the server")
    client_of(ours, ours, ours, restores=NEWER)

    call_command("backup", str(tmp_path / "backup"), stdout=StringIO())
    assert "whole" in restore(tmp_path / "backup", check=True)
    with databases.use(databases.make()):
        restore(tmp_path / "backup")
        assert (kept_rows(), all_indexes()) == (rows, indexes)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "versions",
    [
        ("13.1", "13.1", "13.1"),
        ("17.6", "15.20", "17.6"),
        ("17.6", "17.6", "15.20"),
        ("17.6", "17.6", "17.5"),
    ],
)
def test_a_client_that_could_not_restore_it_makes_no_backup(
    source: str, tmp_path: Path, client_of: Any, versions: tuple[str, str, str]
) -> None:
    client_of(*versions)

    with pytest.raises(CommandError, match=r"No backup was written.*version.*postgresql-client-\d+"):
        call_command("backup", str(tmp_path / "backup"))
    assert not list(tmp_path.glob("*backup*"))


@pytest.mark.postgres
def test_a_file_of_a_newer_pg_dump_is_no_good_here(stock: Stock, backup: Path, client_of: Any) -> None:
    client_of("15.20", "15.20", "15.20", restores="false")

    refused(stock, backup, "pg_restore failed", check=True)


@pytest.mark.postgres
def test_settings_inside_of_texts_are_restored(databases: Databases, live: str, tmp_path: Path) -> None:
    text = "SET no_such_setting = 0;\nSET no_such_setting = 0;\n"
    MessageFactory(content=text)
    write_backup(connection, tmp_path / "backup")

    with databases.use(databases.make()):
        restore(tmp_path / "backup")
        assert Message.objects.latest("pk").content == text


@pytest.mark.postgres
def test_the_password_and_tls_go_by_the_environment(source: str, tmp_path: Path, program: Any) -> None:
    seen = tmp_path / "seen"
    program(
        "pg_dump",
        f'case "$*" in *--version*) exit;; esac; {{ echo "$@"; env; }} > {seen}\n'
        'echo "pg_dump: error: no" >&2; exit 1',
    )
    settings = connection.settings_dict
    options = {**settings["OPTIONS"], "sslmode": "prefer", "sslrootcert": "/etc/root.pem"}
    connection.close()
    connection.settings_dict = {**settings, "PASSWORD": "s3cret'$x", "OPTIONS": options}

    with pytest.raises(CommandError, match="pg_dump failed: pg_dump: error: no"):
        call_command("backup", str(tmp_path / "backup"))

    arguments, _, environment = seen.read_text().partition("\n")
    assert "s3cret" not in arguments
    for line in ("PGPASSWORD=s3cret'$x", "PGSSLMODE=prefer", "PGSSLROOTCERT=/etc/root.pem"):
        assert line in environment.splitlines()
    assert f"PGDATABASE={settings['NAME']}" in environment.splitlines()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "script",
    [
        pytest.param("head -c 20000 $dump; exit 1", id="reading fails"),
        pytest.param("kill -9 $$", id="reading is killed"),
        pytest.param("echo 'SELECT 1/0;'; cat $dump", id="a statement fails at the start"),
        pytest.param("cat $dump; echo 'SELECT 1/0;'", id="a statement fails at the end"),
        pytest.param("cat $dump; echo 'DELETE FROM public.messaging_message;'", id="rows are missing"),
        pytest.param("cat $dump; echo 'CREATE TABLE public.more ();'", id="a table is too many"),
        pytest.param("true", id="nothing comes"),
    ],
)
def test_a_restore_that_is_cut_off_changes_nothing(
    stock: Stock, backup: Path, program: Any, tmp_path: Path, script: str
) -> None:
    sql = tmp_path / "dump.sql"
    with Client(connection).running("pg_restore", f"--file={sql}", str(backup)):
        pass
    program("pg_restore", f"dump={sql}; {script}")

    refused(stock, backup, "Nothing was restored", force=True)
