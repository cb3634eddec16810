"""A database for each process that tries a mutant, as the first process had it made."""

from contextlib import AbstractContextManager

import pytest
from django.db import connection
from pytest_django.plugin import blocking_manager_key


class Databases:
    """SQLite's lies in memory, which a fork copies by itself; PostgreSQL makes copies, numbered by job."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.shared = connection.vendor == "postgresql"
        # One that is in use cannot be copied.
        connection.close()

    def copy(self, job: int) -> None:
        if self.shared:
            with self._allowed():
                connection.creation.clone_test_db(str(job), verbosity=0)

    def enter(self, job: int) -> None:
        """Has the calling process work on the copy."""
        if self.shared:
            connection.creation.setup_worker_connection(job)

    def drop(self, job: int) -> None:
        """Also where a process that was killed has left a connection behind."""
        if self.shared:
            name = connection.creation.get_test_db_clone_settings(str(job))["NAME"]
            with self._allowed(), connection._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {connection.ops.quote_name(name)} WITH (FORCE)")

    def _allowed(self) -> AbstractContextManager[None]:
        return self.config.stash[blocking_manager_key].unblock()
