"""No request keeps the database busy for long: it is a 503 then, and the statement ends."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction
from pytest_django import Settings

from accounts.models import User
from accounts.services.users import delete_user
from aimessage.api.lists import pages as pagination
from aimessage.api.problems import TOO_LONG
from aimessage.db import bounds
from aimessage.db.bounds import allow, start_serving, watch_sqlite
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together
from conftest import ApiClient
from messaging import lookups
from messaging.models import Message
from messaging.services import reading
from tests.factories import MessageFactory

postgres = pytest.mark.postgres
sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps time itself")

ENDLESS = "WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up) SELECT count(*) FROM up"


@pytest.fixture
def apart() -> Iterator[Any]:
    """A connection of a process that answers requests."""
    start_serving()
    wrapper = connections.create_connection("default")
    yield wrapper
    wrapper.close()


def told(wrapper: Any) -> str:
    """What PostgreSQL itself says, whatever our cursors add."""
    return str(psycopg.Cursor(wrapper.connection).execute("SHOW statement_timeout").fetchone()[0])


@postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pooler", [False, True], ids=["direct", "through a pooler"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/messages"),
        ("get", "/messages?search=noon"),
        ("get", "/messages/1"),
        ("put", "/messages/read-all"),
        ("get", "/auth/conversations"),
        ("post", "/messages"),
    ],
)
def test_a_request_that_waits_for_the_database_ends(
    as_user: ApiClient,
    alice: User,
    bob: User,
    settings: Settings,
    pooler: bool,
    method: str,
    path: str,
) -> None:
    settings.STATEMENT_SECONDS = 0.5
    settings.DATABASE_POOLER = pooler
    MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)
    start_serving()
    body = {"recipient_id": bob.pk, "content": "Hello"} if method == "post" else None

    def ask() -> Any:
        return getattr(client, method)(path, body)

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE messaging_message IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        (answer,) = run_together(ask)
        seconds = time.monotonic() - started
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            waiting = cursor.fetchone()[0]

    assert_problem(answer, 503, TOO_LONG)
    assert seconds < 5
    assert waiting == 0
    assert run_together(ask)[0].status_code in (200, 201, 404)


@postgres
@pytest.mark.django_db
def test_a_connection_that_answers_requests_has_a_bound(apart: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    apart.connect()
    bounded = told(apart)
    apart.close()
    monkeypatch.setattr(bounds._process, "serving", False)
    apart.connect()

    assert (bounded, told(apart)) == ("5s", "0")


@postgres
@pytest.mark.django_db
def test_a_bound_that_the_server_was_given_stays(apart: Any) -> None:
    apart.settings_dict = {
        **apart.settings_dict,
        "OPTIONS": {**apart.settings_dict["OPTIONS"], "options": "-c statement_timeout=7s"},
    }
    apart.connect()

    assert told(apart) == "7s"


@postgres
@pytest.mark.django_db
@pytest.mark.parametrize("quick", [False, True], ids=["cursor", "quick cursor"])
@pytest.mark.parametrize("pooler", [False, True], ids=["direct", "through a pooler"])
def test_a_statement_ends_and_the_connection_goes_on(
    apart: Any, settings: Settings, pooler: bool, quick: bool
) -> None:
    settings.STATEMENT_SECONDS = 0.3
    settings.DATABASE_POOLER = pooler
    apart.connect()

    def run(sql: str) -> Any:
        cursor = apart.planned_cursor() if quick else apart.cursor()
        cursor.execute(sql, [])
        return cursor.fetchall()

    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(OperationalError, match="statement timeout"):
            run("SELECT pg_sleep(20)")
        assert time.monotonic() - started < 5
        assert run("SELECT 42") == [(42,)]
    apart.set_autocommit(False)
    assert run("SELECT 41") == [(41,)]
    with pytest.raises(OperationalError, match="statement timeout"):
        run("SELECT pg_sleep(20)")
    apart.rollback()
    apart.set_autocommit(True)
    assert run("SELECT 43") == [(43,)]


@postgres
@pytest.mark.django_db
def test_nothing_of_it_is_left_for_those_who_share_the_connection_through_a_pooler(
    apart: Any, settings: Settings
) -> None:
    settings.DATABASE_POOLER = True
    apart.connect()

    with apart.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), %s", ["100%"])
        assert cursor.fetchone() == ("5s", "100%")
    assert told(apart) == "0"


@sqlite
@pytest.mark.django_db
def test_sqlite_gives_up_as_well(settings: Settings) -> None:
    start_serving()
    settings.STATEMENT_SECONDS = 0.3

    started = time.monotonic()
    with pytest.raises(OperationalError) as caught, connection.cursor() as cursor:
        cursor.execute(ENDLESS)

    assert bounds.took_too_long(caught.value)
    assert time.monotonic() - started < 5
    with connection.cursor() as cursor:
        cursor.execute("SELECT 42")
        assert cursor.fetchone() == (42,)


@sqlite
@pytest.mark.django_db
def test_commands_take_their_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds._process, "serving", False)
    settings.STATEMENT_SECONDS = 0.05

    with connection.cursor() as cursor:
        cursor.execute(ENDLESS.replace("FROM up)", "FROM up LIMIT 3000000)"))
        assert cursor.fetchone()[0] > 1_000_000


@pytest.fixture
def slow_search(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where each text takes a search 20 ms, and SQLite looks at the clock often."""
    monkeypatch.setattr(lookups, "fold_case", lambda text: time.sleep(0.02) or text)
    monkeypatch.setattr(bounds, "STEPS", 10)
    watch_sqlite(connection)
    first = MessageFactory(sender=alice, recipient=bob)
    more = [Message(sender=alice, recipient=bob, conversation=first.conversation) for _ in range(100)]
    Message.objects.bulk_create(more)
    yield
    monkeypatch.undo()
    watch_sqlite(connection)


@sqlite
@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/messages", "/messages/sent"])
def test_a_search_that_takes_too_long_is_refused(
    as_user: ApiClient, alice: User, slow_search: None, settings: Settings, path: str
) -> None:
    client = as_user(alice)
    settings.STATEMENT_SECONDS = 0.2

    started = time.monotonic()
    assert_problem(client.get(f"{path}?search=zeppelin"), 503, TOO_LONG)

    assert time.monotonic() - started < 1.5
    settings.STATEMENT_SECONDS = 60
    assert client.get(f"{path}?search=zeppelin").json() == []


@pytest.mark.django_db
def test_a_page_of_many_chunks_takes_no_longer_than_a_few_of_them(
    as_user: ApiClient, alice: User, bob: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagination, "CHUNK", 2)
    for _ in range(6):
        MessageFactory(sender=alice, recipient=bob)
    client = as_user(alice)

    assert len(client.get("/messages").json()) == 6
    settings.STATEMENT_SECONDS = -1
    monkeypatch.setattr(bounds, "statement_seconds", lambda: 60)
    assert_problem(client.get("/messages"), 503, TOO_LONG)


@pytest.mark.django_db
def test_marking_as_read_goes_on_where_it_ended(
    as_user: ApiClient, alice: User, bob: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "READ_BATCH", 2)
    for _ in range(5):
        MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)
    settings.STATEMENT_SECONDS = -1
    monkeypatch.setattr(bounds, "statement_seconds", lambda: 60)

    unread = []
    for _ in range(2):
        assert_problem(client.put("/messages/read-all"), 503, TOO_LONG)
        unread.append(client.get("/messages/unread/count").json()["unread_count"])
    assert client.put("/messages/read-all").status_code == 200

    assert unread == [3, 1]
    assert client.get("/messages/unread/count").json()["unread_count"] == 0


@pytest.mark.django_db
def test_a_deletion_may_take_longer(
    alice: User, bob: User, superuser: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_serving()
    settings.STATEMENT_SECONDS = 0.2
    seen = []

    def delete(user: User) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT pg_sleep(0.4)")
            seen.append(bounds.statement_seconds())

    monkeypatch.setattr(User, "delete", delete)
    delete_user(alice, actor=superuser)

    assert seen == [60]
    assert bounds.statement_seconds() == 0.2


@pytest.mark.django_db
def test_another_thread_is_not_allowed_the_same() -> None:
    seen: list[float] = []
    with transaction.atomic(), allow(60):
        thread = threading.Thread(target=lambda: seen.append(bounds.statement_seconds()))
        thread.start()
        thread.join()

    assert seen == [5]


@postgres
@pytest.mark.django_db(transaction=True)
def test_many_who_wait_all_end(as_user: ApiClient, alice: User, bob: User, settings: Settings) -> None:
    settings.STATEMENT_SECONDS = 0.5
    MessageFactory(sender=bob, recipient=alice)
    client = as_user(alice)
    start_serving()

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE messaging_message IN ACCESS EXCLUSIVE MODE")
        answers = run_together(*[partial(client.get, "/messages")] * 4)

    assert [answer.status_code for answer in answers] == [503] * 4
