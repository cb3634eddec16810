"""PostgreSQL's own programs, which `postgresql.py` calls."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

import psycopg.pq
from django.db.backends.base.base import BaseDatabaseWrapper

from operations.maintenance.backup.errors import BackupError

_PROGRAMS = ("pg_dump", "pg_restore", "psql")


class Client:
    """Runs PostgreSQL's programs with Django's connection parameters.

    These go into the environment, which other users cannot read: the arguments of a process they can.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.environment = {**os.environ, "LC_ALL": "C", **_libpq_variables(connection)}

    def check_version(self) -> None:
        """Raises BackupError if the programs are older than the server, or of several versions.

        pg_dump refuses a newer server without saying what to install, and psql may not understand the
        script of a newer pg_restore.
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
        done = subprocess.run(  # noqa: S603
            [self._find(program), "--version"], env=self.environment, capture_output=True, text=True
        )
        version = re.search(r"\(PostgreSQL\) (\d+[.\w]*)", done.stdout)
        return version[1] if version else ""

    @contextmanager
    def running(
        self, program: str, *arguments: str, stdin: int | None = None, stdout: int | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Yields the running program, then waits for its end. Raises BackupError if it fails."""
        with TemporaryFile() as errors:
            command = [self._find(program), *arguments]
            process = subprocess.Popen(  # noqa: S603
                command, env=self.environment, stdin=stdin, stdout=stdout, stderr=errors
            )
            try:
                yield process
                process.communicate()
            except BaseException:
                process.kill()
                process.communicate()
                raise
            if process.returncode:
                errors.seek(0)
                last = errors.read().decode(errors="replace").strip().splitlines()
                raise BackupError(f"{program} failed: {_first_error(last) or f'status {process.returncode}'}")

    def _find(self, program: str) -> str:
        path = shutil.which(program)
        if path is None:
            raise BackupError(f"{program} is not installed. Debian and Ubuntu: apt install postgresql-client")
        return path


def _first_error(lines: list[str]) -> str:
    for number, line in enumerate(lines):
        if "error:" in line or "ERROR:" in line:
            # The next line explains it.
            return " ".join(line.strip() for line in lines[number : number + 2])
    return lines[-1] if lines else ""


def _libpq_variables(connection: BaseDatabaseWrapper) -> dict[str, str]:
    params = connection.get_connection_params()
    variables = {}
    for option in psycopg.pq.Conninfo.get_defaults():
        value = params.get(option.keyword.decode())
        if option.envvar and value is not None:
            variables[option.envvar.decode()] = str(value)
    return variables
