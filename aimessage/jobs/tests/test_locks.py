"""Locks that end with their holder: the same rules, whatever they are made of."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from pytest_django import Settings

from aimessage.jobs.locks import AdvisoryLocks, FileLocks, Leases, Locks, count_workers, worker_lock
from aimessage.jobs.models import Lease

pytestmark = pytest.mark.django_db

#: A holder of its own each time.
Make = Callable[[], Locks]
POSTGRESQL = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone has these")


@pytest.fixture(
    params=[
        "files",
        pytest.param("sessions", marks=POSTGRESQL),
        pytest.param("leases", marks=POSTGRESQL),
    ]
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[Any] = []

    def make() -> Locks:
        kinds: dict[str, Callable[[], Locks]] = {
            "files": lambda: FileLocks(tmp_path, "x.sqlite3-jobs-"),
            "sessions": lambda: AdvisoryLocks(connection),
            "leases": Leases,
        }
        made.append(kinds[request.param]())
        return made[-1]

    yield make
    for locks in made:
        locks.release()


def test_one_has_it_at_a_time_and_keeps_it(make: Make) -> None:
    one, other = make(), make()

    assert one.take("loop.webhooks")
    assert not other.take("loop.webhooks")
    assert one.take("loop.webhooks")
    assert other.take("loop.mail")


def test_anybody_sees_what_is_held(make: Make) -> None:
    one, other, third = make(), make(), make()
    one.take(worker_lock("a.1"))
    other.take(worker_lock("b.2"))
    names = [worker_lock(name) for name in ("a.1", "b.2", "c.3")]

    assert third.held(names) == set(names[:2])
    assert one.held(names) == set(names[:2])
    assert third.held([]) == set()


def test_what_was_given_back_is_free(make: Make) -> None:
    one, other = make(), make()
    one.take(worker_lock("a.1"))

    one.release()

    assert other.held([worker_lock("a.1")]) == set()
    assert other.take(worker_lock("a.1"))


def test_files_of_the_dead_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "x-worker.dead").touch()
    live, other = FileLocks(tmp_path, "x-"), FileLocks(tmp_path, "x-")
    live.take("worker.live")

    assert other.held(["worker.dead", "worker.live"]) == {"worker.live"}

    assert [path.name for path in tmp_path.iterdir()] == ["x-worker.live"]
    live.release()
    assert list(tmp_path.iterdir()) == []


@POSTGRESQL
def test_a_lease_that_is_not_renewed_ends(settings: Settings) -> None:
    settings.DATABASE_POOLER = True
    one, other = Leases(), Leases()
    one.take(worker_lock("a.1"))
    assert count_workers() == 1
    Lease.objects.update(until="2020-01-01T00:00:00Z")

    assert other.held([worker_lock("a.1")]) == set()
    assert count_workers() == 0
    assert other.take(worker_lock("a.1"))
    assert not one.take(worker_lock("a.1"))


@POSTGRESQL
def test_a_lost_session_says_so_once_and_takes_the_locks_anew() -> None:
    locks = AdvisoryLocks(connection)
    try:
        locks.take(worker_lock("a.1"))
        with locks.connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        with pytest.raises(DatabaseError):
            locks.take(worker_lock("a.1"))

        assert locks.take(worker_lock("a.1"))
        assert count_workers() == 1
    finally:
        locks.release()
