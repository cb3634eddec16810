"""Cursors: for statements that PostgreSQL plans once for a connection, and for use behind a pooler."""

from typing import Any

import psycopg
from django.db.backends.postgresql import operations
from psycopg.pq import TransactionStatus

from aimessage.db import bounds

#: How PostgreSQL plans. One generic plan per statement: it would otherwise plan for single values five times
#: before it decides, anew after each ANALYZE, and not the same for a user with most of the messages as for
#: others. Its default for what a page of a table costs out of order, 4 times one in order, is that of disks
#: that turn: walking along everybody's messages would seem cheaper than a user's own index. A server that is
#: set to another value keeps it.
PLANNING = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false);
    SELECT set_config('random_page_cost', '1.1', false) WHERE current_setting('random_page_cost') = '4'
"""

#: A role or server that has a limit of its own keeps it.
TIME_LIMIT = (
    "SELECT set_config('statement_timeout', %s, false) WHERE current_setting('statement_timeout') = '0'"
)


class PlannedCursor(psycopg.Cursor[Any]):
    """A cursor for statements that come again and again, with other values (aimessage/db/compiled.py).

    Django puts values into the SQL, which PostgreSQL then reads and plans each time: for a page of messages
    as much work as finding them. Here it does so once for a connection, and afterwards gets the values alone.
    """

    #: A plan no longer fits, and the transaction did not let us throw the plans away.
    outdated = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> "PlannedCursor":
        if self.outdated:
            self._forget_plans()
        try:
            return super().execute(query, params, **options)
        except psycopg.errors.FeatureNotSupported:
            # "cached plan must not change result type": a migration gave a column another one.
            self.outdated = True
            if self._forget_plans():
                return super().execute(query, params, **options)
            raise

    def _forget_plans(self) -> bool:
        """Has PostgreSQL plan anew; False within a transaction, which may have failed by then."""
        if self.connection.info.transaction_status is TransactionStatus.IDLE:
            self.connection.execute("DEALLOCATE ALL")
            self.outdated = False
        return not self.outdated


class BoundedCursor(psycopg.ClientCursor[Any]):
    """A cursor that bounds statements by the transaction: a pooler would keep a session's setting for others.

    The bound goes along with the first statement of a transaction, so that it costs no round trip.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> "BoundedCursor":
        first = self.connection.info.transaction_status is TransactionStatus.IDLE
        if not (first and bounds.is_serving() and isinstance(query, str)):
            return super().execute(query, params, **options)
        milliseconds = round(1000 * bounds.statement_seconds())
        super().execute(f"SET LOCAL statement_timeout = {milliseconds}; {query}", params, **options)
        self.nextset()
        return self


class Operations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: object, sql: object, params: object) -> str:
        """The SQL with its values, for logs and tests; PostgreSQL got them apart."""
        if isinstance(cursor, PlannedCursor):
            return str(self.compose_sql(sql, params))
        executed: str = super().last_executed_query(cursor, sql, params)
        return executed
