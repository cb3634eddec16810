"""PostgreSQL's own programs, which `postgresql.py` calls."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Any

import psycopg.pq
from django.db.backends.base.base import BaseDatabaseWrapper

from operations.maintenance.backup.errors import BackupError

_PROGRAMS = ("pg_dump", "pg_restore", "psql")


class Client:
    """PostgreSQL's own programs, connected as Django is: by environment, which no other user can read."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.environment = {**os.environ, "LC_ALL": "C", **_variables(connection)}

    def check_version(self) -> None:
        """Raises BackupError where these programs could not restore what they back up.

        pg_dump refuses servers newer than itself, in words that do not say what to install; psql may not
        understand what a newer pg_restore writes.
        """
        versions = {program: version for program in _PROGRAMS if (version := self._version(program))}
        self.connection.ensure_connection()
        server = self.connection.pg_version // 10000  # type: ignore[attr-defined]
        advice = (
            f"Install the Debian package postgresql-client-{server}; where Debian has none,"
            " apt.postgresql.org does."
        )
        major = re.match(r"\d+", versions.get("pg_dump", ""))
        if major and int(major[0]) < server:
            raise BackupError(f"pg_dump is of version {major[0]}, the server of {server}. {advice}")
        if len(set(versions.values())) > 1:
            named = ", ".join(f"{program} {version}" for program, version in versions.items())
            raise BackupError(f"PostgreSQL's programs are of different versions: {named}. {advice}")

    def _version(self, program: str) -> str:
        """As `17.6`, empty where the program does not say it."""
        done = subprocess.run(  # noqa: S603  no part of it is anybody's input
            [self._find(program), "--version"], env=self.environment, capture_output=True, text=True
        )
        version = re.search(r"\(PostgreSQL\) (\d+[.\w]*)", done.stdout)
        return version[1] if version else ""

    @contextmanager
    def running(self, program: str, *arguments: str, **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
        """The program while it runs; raises BackupError with its last words where it fails."""
        with TemporaryFile() as said:
            command = [self._find(program), *arguments]
            process = subprocess.Popen(command, env=self.environment, stderr=said, **streams)  # noqa: S603
            try:
                yield process
                process.communicate()
            except BaseException:
                process.kill()
                process.communicate()
                raise
            if process.returncode:
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()
                raise BackupError(f"{program} failed: {_telling(last) or f'status {process.returncode}'}")

    def _find(self, program: str) -> str:
        path = shutil.which(program)
        if path is None:
            raise BackupError(f"{program} is not installed. Debian and Ubuntu: apt install postgresql-client")
        return path


def _telling(lines: list[str]) -> str:
    """The first error among what a program said, with the line that explains it."""
    for number, line in enumerate(lines):
        if "error:" in line or "ERROR:" in line:
            return " ".join(line.strip() for line in lines[number : number + 2])
    return lines[-1] if lines else ""


def _variables(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Django's connection parameters, TLS among them, as the variables that libpq reads."""
    params = connection.get_connection_params()
    variables = {}
    for option in psycopg.pq.Conninfo.get_defaults():
        value = params.get(option.keyword.decode())
        if option.envvar and value is not None:
            variables[option.envvar.decode()] = str(value)
    return variables
