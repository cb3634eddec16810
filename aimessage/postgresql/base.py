"""Django's backend, whose health check gives up on a server that is frozen or cut off.

Persistent connections are tried with `SELECT 1` before the first query of a request. A server that was
stopped says so at once; one that is frozen, or behind a cable that was pulled, says nothing, and the
request would wait with it.
"""

from functools import partial
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base

from aimessage.metrics import DATABASE_ERRORS, connections_changed


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            connection = super().get_new_connection(conn_params)
        except self.Database.Error as error:
            DATABASE_ERRORS.labels(type(error).__name__).inc()
            raise
        connections_changed(+1)
        return connection

    def _close(self) -> None:
        if self.connection is not None:
            connections_changed(-1)
        super()._close()  # type: ignore[misc]  # which the stubs leave out

    def is_usable(self) -> bool:
        """Whether the connection answers within `settings.DATABASE_PATIENCE` seconds."""
        connection = self.connection
        if connection is None:
            return False
        connection.wait = partial(connection.wait, timeout=settings.DATABASE_PATIENCE)
        try:
            return super().is_usable()
        finally:
            del connection.wait
