"""The connection: how it reads times, and its health check on a server that suddenly says nothing."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, NotSupportedError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext
from psycopg.pq import Format
from psycopg.types.numeric import Int8
from pytest_django import Settings

from aimessage.db.postgresql import health
from aimessage.db.postgresql.times import TIMESTAMPTZ

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]


class Line:
    """A way to the database that can be frozen: it then passes nothing on, and both ends stay open."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.server = server
        self.frozen = threading.Event()
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._pass_on, daemon=True)
        self.thread.start()

    def _pass_on(self) -> None:
        near, _ = self.listener.accept()
        with near, socket.create_connection(self.server) as far:
            while not self.closed.is_set():
                if self.frozen.wait(0.01):
                    continue
                for ready in select.select([near, far], [], [], 0.05)[0]:
                    with suppress(OSError):  # one end may be gone by now
                        data = ready.recv(65536)
                        if not data:
                            return  # which closes the other end, too
                        (far if ready is near else near).sendall(data)

    def close(self) -> None:
        self.closed.set()
        self.thread.join(timeout=5)
        self.listener.close()


@pytest.fixture
def line() -> Iterator[Line]:
    settings = connection.settings_dict
    way = Line((settings["HOST"] or "127.0.0.1", int(settings["PORT"] or 5432)))
    yield way
    way.close()


@pytest.fixture
def over_the_line(line: Line) -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own that takes that way."""
    wrapper = connections.create_connection("default")
    wrapper.settings_dict = {**connection.settings_dict, "HOST": "127.0.0.1", "PORT": line.port}
    wrapper.connect()
    yield wrapper
    wrapper.close()


def test_a_connection_that_answers_is_usable(over_the_line: BaseDatabaseWrapper) -> None:
    assert over_the_line.is_usable()
    with over_the_line.cursor() as cursor:
        cursor.execute("SELECT 42")
        assert cursor.fetchone() == (42,)


def test_a_connection_to_a_frozen_server_is_not(
    over_the_line: BaseDatabaseWrapper, line: Line, settings: Settings
) -> None:
    settings.DATABASE_PATIENCE = 0.3
    line.frozen.set()

    outcome: list[bool] = []
    check = threading.Thread(target=lambda: outcome.append(over_the_line.is_usable()), daemon=True)
    over_the_line.inc_thread_sharing()
    check.start()
    check.join(timeout=10)

    assert outcome == [False], "it waited with the server"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02 03:04:05.678901+00",
        "2026-01-02 03:04:05+00",
        "2026-01-02 03:04:05.6+02:30",
        "0001-01-01 00:00:00+00",
        "9999-12-31 23:59:59.999999+00",
    ],
)
def test_times_are_read_as_django_reads_them(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [text])
        (time,) = cursor.fetchone()

    loaders = connection.connection.adapters
    assert type(loaders.get_loader(TIMESTAMPTZ, Format.TEXT)(TIMESTAMPTZ)).__module__.startswith("psycopg_")
    assert (time, time.tzinfo) == (datetime.fromisoformat(text), UTC)


def test_a_connection_that_answered_a_moment_ago_is_only_looked_at(
    over_the_line: BaseDatabaseWrapper, line: Line
) -> None:
    assert over_the_line.is_usable()
    line.frozen.set()

    assert over_the_line.is_usable()


def test_the_first_query_after_that_look_does_not_wait_with_a_frozen_server(
    over_the_line: BaseDatabaseWrapper, line: Line, settings: Settings
) -> None:
    settings.DATABASE_PATIENCE = 0.3
    assert over_the_line.is_usable()
    line.frozen.set()
    assert over_the_line.is_usable()

    started = time.monotonic()
    with pytest.raises(OperationalError), over_the_line.cursor() as cursor:
        cursor.execute("SELECT 42")

    assert time.monotonic() - started < 5


def test_a_connection_on_which_an_answer_is_still_due_is_not_usable(
    over_the_line: BaseDatabaseWrapper, line: Line, settings: Settings
) -> None:
    """It would refuse the next question, and a new transaction by a ProgrammingError, which is a 500."""
    settings.DATABASE_PATIENCE = 0.3
    assert over_the_line.is_usable()
    line.frozen.set()
    assert over_the_line.is_usable()
    with pytest.raises(OperationalError), over_the_line.cursor() as cursor:
        cursor.execute("SELECT 42")

    started = time.monotonic()
    over_the_line.close_if_unusable_or_obsolete()

    assert over_the_line.connection is None
    assert time.monotonic() - started < 5


def test_neither_does_the_first_query_of_a_transaction(
    over_the_line: BaseDatabaseWrapper, line: Line, settings: Settings
) -> None:
    """Beginning one takes the connection out of autocommit first, which asks the server nothing."""
    settings.DATABASE_PATIENCE = 0.3
    assert over_the_line.is_usable()
    line.frozen.set()
    assert over_the_line.is_usable()
    over_the_line.set_autocommit(False)
    thawing = threading.Timer(5, line.frozen.clear)
    thawing.start()

    started = time.monotonic()
    with pytest.raises(OperationalError), over_the_line.cursor() as cursor:
        cursor.execute("SELECT 42")

    thawing.cancel()
    assert time.monotonic() - started < 4


def test_of_those_who_wait_for_a_silent_server_one_after_the_other_only_the_first_waits(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.frozen.set()
    wrapper = connections.create_connection("default")
    options = {**connection.settings_dict["OPTIONS"], "connect_timeout": 2}
    wrapper.settings_dict = {
        **connection.settings_dict,
        "HOST": "127.0.0.1",
        "PORT": line.port,
        "OPTIONS": options,
    }

    def seconds() -> float:
        started = time.monotonic()
        with pytest.raises(OperationalError):
            wrapper.ensure_connection()
        return time.monotonic() - started

    first, second = seconds(), seconds()
    monkeypatch.setattr(health, "PAUSE", 0)
    later = seconds()

    assert second < 0.5
    assert min(first, later) > 1.5


def test_later_queries_may_take_their_time(over_the_line: BaseDatabaseWrapper, settings: Settings) -> None:
    settings.DATABASE_PATIENCE = 0.3
    assert over_the_line.is_usable()
    assert over_the_line.is_usable()

    with over_the_line.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT pg_sleep(0.6)")

    assert over_the_line.is_usable()
    over_the_line.set_autocommit(False)
    with over_the_line.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT pg_sleep(0.6)")


def test_a_connection_that_the_server_ended_is_found_out_by_a_look(
    over_the_line: BaseDatabaseWrapper,
) -> None:
    assert over_the_line.is_usable()
    with over_the_line.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    deadline = time.monotonic() + 5
    while over_the_line.is_usable() and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not over_the_line.is_usable()


@pytest.fixture
def apart() -> Iterator[BaseDatabaseWrapper]:
    """Another connection, on which every statement is a transaction."""
    wrapper = connections.create_connection("default")
    wrapper.connect()
    yield wrapper
    wrapper.close()


def plans(wrapper: Any) -> list[tuple[str, int, int]]:
    """The statements that PostgreSQL keeps for the connection: how often planned for a value, and for all."""
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements")
        found: list[tuple[str, int, int]] = cursor.fetchall()
        return found


def test_a_statement_that_comes_again_is_planned_once_for_all_values(apart: Any) -> None:
    for number in (1, 2, 3):
        cursor = apart.planned_cursor(binary=number > 1)
        cursor.execute("SELECT %s::bigint + 1", [Int8(number)])
        assert cursor.fetchall() == [(number + 1,)]

    assert plans(apart) == [("SELECT $1::bigint + 1", 0, 3)]


def test_behind_a_pooler_nothing_is_kept(apart: Any, settings: Settings) -> None:
    settings.DATABASE_POOLER = True
    apart.close()

    cursor = apart.planned_cursor()
    cursor.execute("SELECT %s::bigint", [Int8(7)])
    assert cursor.fetchall() == [(7,)]
    assert plans(apart) == []
    with apart.cursor() as cursor:
        cursor.execute("SELECT current_setting('plan_cache_mode'), current_setting('random_page_cost')")
        assert cursor.fetchone() == ("auto", "4")


@pytest.mark.parametrize(("told", "used"), [(None, "1.1"), ("2.5", "2.5")])
def test_pages_out_of_order_cost_what_they_do_on_a_solid_disk(
    apart: Any, told: str | None, used: str
) -> None:
    """Unless the server was told what they cost there."""
    options = {"options": f"-c random_page_cost={told}"} if told else {}
    apart.settings_dict = {**apart.settings_dict, "OPTIONS": {**apart.settings_dict["OPTIONS"], **options}}
    apart.close()

    with apart.cursor() as cursor:
        cursor.execute("SHOW random_page_cost")
        assert cursor.fetchone() == (used,)


def test_a_column_may_become_of_another_type_meanwhile(apart: Any) -> None:
    def read() -> Any:
        cursor = apart.planned_cursor()
        cursor.execute("SELECT number FROM kept_plan")
        return cursor.fetchone()

    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("CREATE TABLE kept_plan AS SELECT 1::integer AS number")
            assert read() == (1,)
            cursor.execute("ALTER TABLE kept_plan ALTER number TYPE text")
            assert read() == ("1",)
            cursor.execute("ALTER TABLE kept_plan ALTER number TYPE boolean USING true")
        # Within a transaction nothing can be done about it, but the next one is in order.
        apart.set_autocommit(False)
        with pytest.raises(NotSupportedError):
            read()
        apart.rollback()
        apart.set_autocommit(True)
        assert read() == (True,)
    finally:
        with other.cursor() as cursor:
            cursor.execute("DROP TABLE kept_plan")
        other.close()


def test_what_was_asked_can_be_seen_with_its_values(apart: Any) -> None:
    with CaptureQueriesContext(apart) as captured:
        apart.planned_cursor().execute("SELECT %s::bigint, %s", [Int8(7), "it's"])

    assert [query["sql"] for query in captured] == ["SELECT 7::bigint, 'it''s'"]


def test_the_cursor_goes_with_its_connection(apart: Any) -> None:
    first = apart.planned_cursor().cursor
    assert apart.planned_cursor().cursor is first
    apart.close()

    again = apart.planned_cursor()
    again.execute("SELECT 1")
    assert again.cursor is not first
    assert again.fetchall() == [(1,)]


def test_a_failed_statement_leaves_the_cursor_in_order(apart: Any) -> None:
    with pytest.raises(DataError):
        apart.planned_cursor().execute("SELECT 1 / %s::bigint", [Int8(0)])

    cursor = apart.planned_cursor(binary=True)
    cursor.execute("SELECT 1 / %s::bigint", [Int8(1)])
    assert cursor.fetchall() == [(1,)]
