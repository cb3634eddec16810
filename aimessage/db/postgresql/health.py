"""A health check that costs no query, and gives up on a server that says nothing.

Before the first query of a request Django tries a persistent connection with `SELECT 1`: a round trip each
time. A server that was stopped has closed its end, which the socket shows without asking. A server that is
frozen, or behind a cable that was pulled, shows nothing and never answers; so the first answer of a request
must come within `settings.DATABASE_PATIENCE` seconds, be it to the `SELECT 1` or to the first query.

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
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

#: Seconds for which a connection that answered is not asked again; what lies between drops it later.
QUIET_FOR = 5.0

#: Without this pause, of more clients than there are threads each would wait for those before it, and then as
#: long again.
PAUSE = 1.0
#: (host, port) → when a connection attempt last timed out, in seconds of the monotonic clock.
_silent_at: dict[tuple[Any, Any], float] = {}


class HealthCheckedWrapper(base.DatabaseWrapper):
    #: When this connection last answered to a health check, in seconds of the monotonic clock.
    answered_at = float("-inf")

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        server = conn_params.get("host"), conn_params.get("port")
        if time.monotonic() - _silent_at.get(server, float("-inf")) < PAUSE:
            raise psycopg.errors.ConnectionTimeout("it did not a moment ago")
        try:
            return super().get_new_connection(conn_params)
        except psycopg.errors.ConnectionTimeout:
            _silent_at[server] = time.monotonic()
            raise

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

    def _set_autocommit(self, autocommit: bool) -> None:
        # psycopg calls `wait` for that, too, though nothing is sent: the query still to come is what must
        # not wait with the server.
        impatient = vars(self.connection).get("wait")
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # which the stubs leave out
        if impatient is not None:
            self.connection.wait = impatient


def _has_news(connection: "psycopg.Connection[Any]") -> bool:
    """Whether something arrived unasked: the connection was closed, or a notice says that it will be."""
    poll = select.poll()
    try:
        poll.register(connection.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))
    except psycopg.Error:  # it is closed on this side
        return True
