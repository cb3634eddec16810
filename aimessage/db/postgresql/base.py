"""Django's backend, with a quicker health check that gives up, timestamps that are read in C, and plans
that are made once for a connection.

Before the first query of a request Django tries a persistent connection with `SELECT 1`: a round trip for
each. A server that was stopped has closed its end, which the socket tells without asking; so a connection
that was in use a moment ago is only looked at. One that is frozen, or behind a cable that was pulled, says
nothing, and the request would wait with it: the first answer of a request must come within
`settings.DATABASE_PATIENCE` seconds, be it to the `SELECT 1` or to the first query. A new connection gets as
long; those who come right after one that got none are told at once.
"""

import select
import time
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache, partial
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base, operations
from psycopg.abc import AdaptContext
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format, TransactionStatus

from aimessage.db import bounds
from aimessage.server.metrics import DATABASE_ERRORS, connections_changed

#: Seconds for which a connection that answered is not asked again; what lies between drops it later.
QUIET_FOR = 5.0

#: Seconds for which nobody in this process tries to connect to a server that just said nothing to somebody.
#: More clients than there are threads would wait for those before them, and then as long again.
PAUSE = 1.0
#: (host, port) → when somebody last waited in vain, in seconds of the monotonic clock.
_silent_at: dict[tuple[Any, Any], float] = {}

#: How PostgreSQL plans. Its own idea of what a page of a table costs out of order, 4 times one in order, is
#: that of disks that turn: a user's own index seems dearer than to walk along everybody's messages. A server
#: that is told anything else is left alone.
PLANNING = """
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false);
    SELECT set_config('random_page_cost', '1.1', false) WHERE current_setting('random_page_cost') = '4'
"""

#: A role or server that has a bound of its own keeps it.
BOUND = "SELECT set_config('statement_timeout', %s, false) WHERE current_setting('statement_timeout') = '0'"

TIMESTAMPTZ = psycopg.postgres.types["timestamptz"].oid


class QuickCursor(psycopg.Cursor[Any]):
    """A cursor for statements that come again and again, with other values (aimessage/db/compiled.py).

    Django puts values into the SQL, which PostgreSQL then reads and plans each time: for a page of messages
    as much work as finding them. Here it does so once for a connection, and afterwards gets the values alone.
    """

    #: Whether a plan turned out to be of no use any more where the others could not be thrown away.
    outdated = False

    def execute(self, query: Any, params: Any = None, **options: Any) -> "QuickCursor":
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


class QuickOperations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        """The SQL with its values, for those who look at what was asked; PostgreSQL got them apart."""
        if isinstance(cursor, QuickCursor):
            return str(self.compose_sql(sql, params))
        told: str = super().last_executed_query(cursor, sql, params)
        return told


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = QuickOperations
    #: When this connection last answered to a health check, in seconds of the monotonic clock.
    answered_at = float("-inf")
    _quick_cursor: QuickCursor | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if self.timezone is UTC:
            params["context"] = _with_utc_loader(params["context"])
        if not settings.DATABASE_POOLER:
            # At the first time. A pooler gives the next transaction to a connection that knows no such plan.
            params["prepare_threshold"] = 0
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        server = conn_params.get("host"), conn_params.get("port")
        if time.monotonic() - _silent_at.get(server, float("-inf")) < PAUSE:
            raise psycopg.errors.ConnectionTimeout("it did not a moment ago")
        try:
            connection = super().get_new_connection(conn_params)
        except self.Database.Error as error:
            if isinstance(error, psycopg.errors.ConnectionTimeout):
                _silent_at[server] = time.monotonic()
            DATABASE_ERRORS.labels(type(error).__name__).inc()
            raise
        connections_changed(+1)
        if settings.DATABASE_POOLER:
            connection.cursor_factory = BoundedCursor
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.connection is not None and bounds.is_serving() and not settings.DATABASE_POOLER:
            self.connection.execute(BOUND, [str(round(1000 * settings.STATEMENT_SECONDS))])
            if not self.get_autocommit():
                self.connection.commit()
        if self.connection is not None and self.connection.prepare_threshold is not None:
            # A plan for whoever asks: by the indexes in their order, of which a list's LIMIT takes a part.
            # Plans for one value alone would be made five times before PostgreSQL decides, each time anew
            # after an ANALYZE, and for a user with most of the messages not be the same as for others.
            # A pooler would keep this for whoever has the connection next.
            self.connection.execute(PLANNING)
            if not self.get_autocommit():
                self.connection.commit()

    def quick_cursor(self, *, binary: bool = False) -> Any:
        """The connection's QuickCursor within Django's wrapper, as `cursor()` has it.

        It is the same one each time, so that it knows how to read the types: whoever has it fetches all rows
        before the next statement, and does not close it. With `binary` rows come as PostgreSQL keeps them:
        for types that Django takes as psycopg reads these.
        """
        if settings.DATABASE_POOLER:
            return self.cursor()
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            kept = self._quick_cursor
            if kept is None or kept.closed or kept.connection is not self.connection:
                kept = self._quick_cursor = QuickCursor(self.connection)
            kept.format = Format.BINARY if binary else Format.TEXT
            return self._prepare_cursor(kept)  # type: ignore[attr-defined]

    def _close(self) -> None:
        if self.connection is not None:
            connections_changed(-1)
        super()._close()  # type: ignore[misc]  # which the stubs leave out

    def behind_pooler(self) -> bool:
        """Whether another program than PostgreSQL took the connection, as PgBouncer does.

        It names processes of its own for cancelling a query, not the one that answers.
        """
        with self.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        told: int = self.connection.info.backend_pid
        return bool(pid != told)

    def _set_autocommit(self, autocommit: bool) -> None:
        # psycopg calls `wait` for that, too, though nothing is sent: the query still to come is what must
        # not wait with the server.
        impatient = vars(self.connection).get("wait")
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # which the stubs leave out
        if impatient is not None:
            self.connection.wait = impatient

    def is_usable(self) -> bool:
        """Whether the connection answers within `settings.DATABASE_PATIENCE` seconds."""
        connection = self.connection
        if connection is None:
            return False
        now = time.monotonic()
        if now - self.answered_at < QUIET_FOR and not _has_news(connection):
            connection.wait = self._impatient_once(connection)
            return True
        connection.wait = partial(connection.wait, timeout=settings.DATABASE_PATIENCE)
        try:
            usable: bool = super().is_usable()
        finally:
            connection.__dict__.pop("wait", None)
        self.answered_at = now if usable else float("-inf")
        return usable

    def _impatient_once(self, connection: "psycopg.Connection[Any]") -> Callable[..., Any]:
        """`connection.wait`, which for once waits no longer than `settings.DATABASE_PATIENCE` seconds."""
        connection.__dict__.pop("wait", None)
        wait = connection.wait

        def wait_once(generator: Any, **options: Any) -> Any:
            connection.__dict__.pop("wait", None)
            try:
                return wait(generator, **{"timeout": settings.DATABASE_PATIENCE, **options})
            except Exception:
                # A look would not tell that it still waits for this answer, and takes no other question.
                self.answered_at = float("-inf")
                raise

        return wait_once


def _has_news(connection: "psycopg.Connection[Any]") -> bool:
    """Whether something came in unasked: the end of the connection, or a notice that tells of it."""
    poll = select.poll()
    try:
        poll.register(connection.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))
    except psycopg.Error:  # it is closed on this side
        return True
