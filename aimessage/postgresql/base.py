"""Django's backend, whose health check gives up on a server that is frozen or cut off.

Persistent connections are tried with `SELECT 1` before the first query of a request. A server that was
stopped says so at once; one that is frozen, or behind a cable that was pulled, says nothing, and the
request would wait with it.
"""

from functools import partial

from django.conf import settings
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
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
