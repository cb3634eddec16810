"""Nobody waits long for a password to be checked, and threads are left for others meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import FailedLogin, Session, User
from aimessage.api import guesses
from aimessage.api.guesses import QUEUE, Busy, HashQueue
from aimessage.settings import PASSWORD_HASHERS
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import PASSWORD

NEW = "amber-kettle-77"


@contextmanager
def filled() -> Iterator[None]:
    """The server has room for one thread, and another thread hashes."""
    room, QUEUE.room = QUEUE.room, 1
    with ThreadPoolExecutor(1) as pool:
        done = fill(QUEUE, pool, 0)
        try:
            yield
        finally:
            done.set()
            QUEUE.room = room


@pytest.fixture
def full() -> Iterator[None]:
    with filled():
        yield


def assert_empty(queue: HashQueue) -> None:
    queue.room = 1
    with queue.turn():  # raises Busy unless nobody else is there
        pass


def fill(queue: HashQueue, pool: ThreadPoolExecutor, waiting: int) -> Event:
    """Has one thread hash, until the event is set, and so many wait for it."""
    hashing, done = Event(), Event()

    def hold() -> None:
        with queue.turn():
            hashing.set()
            done.wait(120)

    pool.submit(hold)
    assert hashing.wait(20)
    for _ in range(waiting):
        pool.submit(hold)
    end = monotonic() + 20
    while queue._inside < 1 + waiting and monotonic() < end:
        pass
    return done


@pytest.mark.parametrize(
    ("seconds", "threads", "waiting"),
    # as many as a second is enough for, and never more than half of the threads
    [(0.25, 64, 4), (0.1, 64, 10), (0.25, 8, 3), (0.25, 2, 0), (0.25, 1, 0), (3.0, 64, 1)],
)
def test_those_beyond_a_moments_worth_are_refused_at_once(seconds: float, threads: int, waiting: int) -> None:
    queue = HashQueue(1)
    queue.seconds = seconds
    queue.bound(threads=threads)
    with ThreadPoolExecutor(64) as pool:
        done = fill(queue, pool, waiting)
        started = monotonic()
        with pytest.raises(Busy), queue.turn():
            pass
        assert monotonic() - started < 0.5
        done.set()
    with queue.turn():
        pass


def test_a_turn_that_does_not_come_is_waited_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "PATIENCE", 0.1)
    queue = HashQueue(1)
    queue.bound(threads=64)
    with ThreadPoolExecutor(4) as pool:
        done = fill(queue, pool, 0)
        started = monotonic()
        with pytest.raises(Busy), queue.turn():
            pass
        assert 0.1 < monotonic() - started < 5
        done.set()
    assert_empty(queue)


def test_a_command_waits_as_long_as_it_takes() -> None:
    queue = HashQueue(1)
    with ThreadPoolExecutor(30) as pool:
        done = fill(queue, pool, 20)
        done.set()
    assert_empty(queue)


def test_what_is_measured_counts(settings: Settings, alice: User) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    before = QUEUE.seconds

    alice.set_password(NEW)

    assert QUEUE.seconds != before


@pytest.mark.usefixtures("full")
def test_a_login_is_503_and_counts_as_no_failure(client: APIClient, alice: User) -> None:
    for password in (PASSWORD, "wrong"):
        for name in ("alice", "nobody"):
            answer = client.post("/auth/login", {"username": name, "password": password})
            assert_problem(answer, 503, "Too many logins at once, try again in a moment")
            assert answer.headers["Retry-After"] == "1"

    assert not FailedLogin.objects.exists()
    assert not Session.objects.exists()


@pytest.mark.usefixtures("full")
def test_a_registration_is_503_and_leaves_no_account(client: APIClient, settings: Settings, db: None) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    account = {"username": "dora", "email": "dora@example.org", "password": PASSWORD}

    assert_problem(client.post("/auth/register", account), 503)

    assert not User.objects.exists()


def test_a_change_of_password_is_503_and_changes_nothing(as_user: ApiClient, alice: User, full: None) -> None:
    sent = {"current_password": PASSWORD, "new_password": NEW}

    assert_problem(as_user(alice).put("/auth/me/password", sent), 503)

    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def assert_page(answer: Any) -> None:
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Retry-After"] == "1"
    assert "Too many logins at once" in answer.content.decode()


def test_the_admin_answers_with_a_page(superuser: User, alice: User, browser_of: Any, full: None) -> None:
    browser = browser_of(superuser)
    new = {"new_password1": NEW, "new_password2": NEW}
    user = {"username": "dora", "email": "dora@example.org", "password1": NEW, "password2": NEW}
    both = {"password1": NEW, "password2": NEW}

    assert_page(Client().post("/admin/login/", {"username": "root", "password": PASSWORD}))
    assert_page(browser.post("/admin/password_change/", {"old_password": PASSWORD, **new}))
    assert_page(browser.post(f"/admin/accounts/user/{alice.pk}/password/", both))
    assert_page(browser.post("/admin/accounts/user/add/", user))

    assert User.objects.count() == 2
    for one in (superuser, alice):
        one.refresh_from_db()
        assert one.check_password(PASSWORD)


def test_whoever_is_locked_out_is_told_so_without_a_turn(client: APIClient, alice: User) -> None:
    for _ in range(5):
        client.post("/auth/login", {"username": "alice", "password": "wrong"})

    with filled():
        assert client.post("/auth/login", {"username": "alice", "password": PASSWORD}).status_code == 429


def test_what_reads_goes_on_while_the_queue_is_full(as_user: ApiClient, alice: User, full: None) -> None:
    assert as_user(alice).get("/auth/me").status_code == 200
