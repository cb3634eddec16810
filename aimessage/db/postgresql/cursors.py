"""Cursors for statements that PostgreSQL plans once per connection, and for use behind a pooler."""

from typing import Any

import psycopg
from django.db.backends.postgresql import operations
from psycopg.abc import Params
from psycopg.pq import TransactionStatus

from aimessage.db import bounds

#: One generic plan per statement. Otherwise PostgreSQL plans for the actual values five times before it
#: decides, again after each ANALYZE, and differently for a user with most of the messages. The default of
#: random_page_cost (4) is for spinning disks: scanning everybody's messages would seem cheaper than a user's
#: own index. A server that is configured to another value keeps it.
PLANNING = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false);
    SELECT set_config('random_page_cost', '1.1', false) WHERE current_setting('random_page_cost') = '4'
"""

#: A limit that the role or the server has set stays.
TIME_LIMIT = (
    "SELECT set_config('statement_timeout', %s, false) WHERE current_setting('statement_timeout') = '0'"
)


class PlannedCursor(psycopg.Cursor):
    """Executes statements that are repeated with other values (aimessage/db/compiled.py).

    Django interpolates values into the SQL, so PostgreSQL parses and plans it each time, which takes as long
    as finding a page of messages. Here it does so once per connection, and then gets only the values.
    """

    #: A plan no longer fits, but plans cannot be dropped inside the current transaction.
    outdated = False

    def execute(self, query: Any, params: Params | None = None, **options: bool | None) -> "PlannedCursor":
        if self.outdated:
            self._forget_plans()
        try:
            return super().execute(query, params, **options)
        except psycopg.errors.FeatureNotSupported:
            # "cached plan must not change result type": a migration changed a column's type.
            self.outdated = True
            if self._forget_plans():
                return super().execute(query, params, **options)
            raise

    def _forget_plans(self) -> bool:
        # Not inside a transaction, which may have failed by now.
        if self.connection.info.transaction_status is TransactionStatus.IDLE:
            self.connection.execute("DEALLOCATE ALL")
            self.outdated = False
        return not self.outdated


class BoundedCursor(psycopg.ClientCursor):
    """Limits statements per transaction, since behind a pooler others would inherit a session's setting.

    The limit is sent with the transaction's first statement, so it costs no round trip.
    """

    def execute(self, query: Any, params: Params | None = None, **options: bool | None) -> "BoundedCursor":
        first = self.connection.info.transaction_status is TransactionStatus.IDLE
        if not (first and bounds.is_serving() and isinstance(query, str)):
            return super().execute(query, params, **options)
        milliseconds = round(1000 * bounds.statement_seconds())
        super().execute(f"SET LOCAL statement_timeout = {milliseconds}; {query}", params, **options)
        self.nextset()
        return self


class Operations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: object, sql: object, params: object) -> str:
        # For logs and tests: interpolates the values, which PostgreSQL got separately.
        if isinstance(cursor, PlannedCursor):
            return str(self.compose_sql(sql, params))
        executed: str = super().last_executed_query(cursor, sql, params)
        return executed
