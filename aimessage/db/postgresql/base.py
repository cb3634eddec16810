"""Django's PostgreSQL backend with a quicker health check, times that are parsed in C, and statements that
are planned once per connection."""

from datetime import UTC

import psycopg
from django.conf import settings
from django.db.backends.utils import CursorWrapper
from psycopg.pq import Format

from aimessage.db import bounds
from aimessage.db.postgresql.cursors import PLANNING, TIME_LIMIT, BoundedCursor, Operations, PlannedCursor
from aimessage.db.postgresql.health import HealthCheckedWrapper
from aimessage.db.postgresql.times import with_utc_loader
from aimessage.server.metrics import DATABASE_ERRORS, connections_changed


class DatabaseWrapper(HealthCheckedWrapper):
    ops_class = Operations
    _planned_cursor: PlannedCursor | None = None

    def get_connection_params(self) -> dict[str, object]:
        params: dict[str, object] = super().get_connection_params()
        if self.timezone is UTC:
            params["context"] = with_utc_loader(params["context"])
        if not settings.DATABASE_POOLER:
            # Prepare at the first execution. Not behind a pooler, where the next transaction may get another
            # connection, without the plan.
            params["prepare_threshold"] = 0
        return params

    def get_new_connection(self, conn_params: dict[str, object]) -> psycopg.Connection:
        try:
            connection = super().get_new_connection(conn_params)
        except self.Database.Error as error:
            DATABASE_ERRORS.labels(type(error).__name__).inc()
            raise
        connections_changed(+1)
        if settings.DATABASE_POOLER:
            connection.cursor_factory = BoundedCursor
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.connection is None:
            return
        if bounds.is_serving() and not settings.DATABASE_POOLER:
            self.connection.execute(TIME_LIMIT, [str(round(1000 * settings.STATEMENT_SECONDS))])
            self._keep_settings()
        if self.connection.prepare_threshold is not None:
            # Not behind a pooler, where the next user of the connection would inherit the settings.
            self.connection.execute(PLANNING)
            self._keep_settings()

    def _keep_settings(self) -> None:
        if not self.get_autocommit():
            self.connection.commit()

    def planned_cursor(self, *, binary: bool = False) -> CursorWrapper:
        """The connection's only PlannedCursor, so that psycopg looks up how to read the types once.

        Callers fetch all rows before the next statement, and do not close it. With `binary`, rows come in
        PostgreSQL's binary format: only for types that need no conversion by Django.
        """
        if settings.DATABASE_POOLER:
            return self.cursor()
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            kept = self._planned_cursor
            if kept is None or kept.closed or kept.connection is not self.connection:
                kept = self._planned_cursor = PlannedCursor(self.connection)
            kept.format = Format.BINARY if binary else Format.TEXT
            return self._prepare_cursor(kept)  # type: ignore[attr-defined]

    def _close(self) -> None:
        if self.connection is not None:
            connections_changed(-1)
        super()._close()  # type: ignore[misc]  # missing in the stubs

    def behind_pooler(self) -> bool:
        # A pooler such as PgBouncer reports another process id (for cancelling queries) than the backend's.
        with self.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        return bool(pid != self.connection.info.backend_pid)
