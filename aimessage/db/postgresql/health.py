"""A health check that usually needs no query, and gives up on a server that does not answer.

Django tests a persistent connection with `SELECT 1` before a request's first query: a round trip each time.
If the server was stopped, the socket is closed, which costs no query to see. If the server is frozen, or the
network is down, nothing shows; so the first answer of a request, to `SELECT 1` or to its first query, must
come within `settings.DATABASE_PATIENCE` seconds.

    a request begins
      │
      ├─ answered less than QUIET_FOR ago, and nothing came in ──▶ trusted ──▶ its first query has PATIENCE
      │                                                                         │           │
      └─ else ──▶ SELECT 1, which has PATIENCE                               answered    no answer
                    │             │                                             │           │
                 answered      no answer                                        ▼           ▼
                    │             │                                          in use    503; asked by SELECT 1
                    ▼             ▼                                                    before the next use
                 in use     closed; Django connects anew
                                  │            │
                              connected     no answer within connect_timeout
                                  │            │
                                  ▼            ▼
                               in use      503; for PAUSE seconds nobody in this process tries that server
"""

import select
import time
from collections.abc import Callable
from functools import partial

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base
from psycopg.abc import RV, PQGen

#: Seconds for which a connection that answered needs no `SELECT 1`. Firewalls drop idle ones later than that.
QUIET_FOR = 5.0

#: Seconds without attempts after a timeout. Otherwise, with more clients than threads, each would wait for
#: the timeouts of those before it.
PAUSE = 1.0
#: (host, port) → when a connection attempt last timed out, in seconds of the monotonic clock.
_silent_at: dict[tuple[object, object], float] = {}


class HealthCheckedWrapper(base.DatabaseWrapper):
    #: When this connection last answered a health check, in seconds of the monotonic clock.
    answered_at = float("-inf")

    def get_new_connection(self, conn_params: dict[str, object]) -> psycopg.Connection:
        server = conn_params.get("host"), conn_params.get("port")
        if time.monotonic() - _silent_at.get(server, float("-inf")) < PAUSE:
            raise psycopg.errors.ConnectionTimeout("it did not a moment ago")
        try:
            return super().get_new_connection(conn_params)
        except psycopg.errors.ConnectionTimeout:
            _silent_at[server] = time.monotonic()
            raise

    def is_usable(self) -> bool:
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

    def _impatient_once(self, connection: psycopg.Connection) -> Callable[..., object]:
        connection.__dict__.pop("wait", None)
        wait = connection.wait

        def wait_once(generator: PQGen[RV], **options: float) -> RV:
            connection.__dict__.pop("wait", None)
            try:
                return wait(generator, **{"timeout": settings.DATABASE_PATIENCE, **options})
            except Exception:
                # The socket does not show that the connection still waits for this answer.
                self.answered_at = float("-inf")
                raise

        return wait_once

    def _set_autocommit(self, autocommit: bool) -> None:
        # psycopg calls `wait` here, too, without sending anything: the timeout is for the query that follows.
        impatient = vars(self.connection).get("wait")
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # which the stubs leave out
        if impatient is not None:
            self.connection.wait = impatient


def _has_news(connection: psycopg.Connection) -> bool:
    # Unrequested data means that the connection was closed, or that a notice announces it.
    poll = select.poll()
    try:
        poll.register(connection.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))
    except psycopg.Error:  # closed on this side
        return True
