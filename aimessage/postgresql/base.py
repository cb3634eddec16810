"""Django's backend, with a health check that gives up and timestamps that are read in C.

Persistent connections are tried with `SELECT 1` before the first query of a request. A server that was
stopped says so at once; one that is frozen, or behind a cable that was pulled, says nothing, and the
request would wait with it.
"""

from datetime import UTC
from functools import lru_cache, partial
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from psycopg.abc import AdaptContext
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format

TIMESTAMPTZ = psycopg.postgres.types["timestamptz"].oid


class UtcLoader(Loader):
    """psycopg's own loader, which its C part has. Django's is written in Python, and ten times slower.

    It keeps the time zone of the connection, which is UTC; Django looks for that under this name.
    """

    timezone = UTC

    def __new__(cls, oid: int, context: AdaptContext | None = None) -> Any:
        own: Any = psycopg.adapters.get_loader(TIMESTAMPTZ, Format.TEXT)
        return own(oid, context)


@lru_cache(maxsize=4)
def _with_utc_loader(adapters: AdaptersMap) -> AdaptersMap:
    quicker = AdaptersMap(adapters)
    quicker.register_loader(TIMESTAMPTZ, UtcLoader)  # type: ignore[type-abstract]
    return quicker


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if self.timezone is UTC:
            params["context"] = _with_utc_loader(params["context"])
        return params

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
