"""The cast: alice and bob talk, carol is the outsider, mallory means harm; a moderator, a superuser."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from pytest_django import Settings
from pytest_django.plugin import blocking_manager_key
from rest_framework.test import APIClient

from accounts.models import MODERATOR, User
from accounts.services.roles import assign_roles
from accounts.services.sessions import open_session
from accounts.services.tokens import make_token
from channels.settings import Twilio
from tests.assertions import ISSUER, ISSUER_KEY
from tests.factories import UserFactory

ApiClient = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def _fast_and_unlimited(settings: Settings) -> None:
    """Tests of hashing or throttles turn them on themselves."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.THROTTLE_RATES = dict.fromkeys(settings.THROTTLE_RATES)


@pytest.fixture(autouse=True)
def _problems_are_described(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds every problem to the API's description, except in tests that are marked `undescribed`."""
    if request.node.get_closest_marker("undescribed"):
        return
    ask = Client.request

    def ask_and_check(self: Client, **environ: Any) -> Any:
        from tests.described import assert_codes_described

        answer = ask(self, **environ)
        assert_codes_described(answer)
        return answer

    monkeypatch.setattr(Client, "request", ask_and_check)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if connection.vendor != "postgresql":
        skip = pytest.mark.skip(reason="SQLite has one writer, and so no such race")
        for item in items:
            if item.get_closest_marker("postgres"):
                item.add_marker(skip)


#: Empties PostgreSQL's tables after a transactional test. TRUNCATE creates new files for every table, which
#: takes half a second; DELETE of a few rows takes milliseconds. Tables with statistics are truncated all the
#: same, so that the next test's plans do not rest on them. Triggers do not fire.
EMPTY = """
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOREACH name IN ARRAY ARRAY[%s] LOOP
        IF (SELECT relpages FROM pg_class WHERE oid = name::regclass) > 0 THEN
            EXECUTE format('TRUNCATE %%s CASCADE', name);
        ELSE
            EXECUTE format('DELETE FROM %%s', name);
        END IF;
    END LOOP;
END $$
"""
#: Tables that keep their rows, so that no test has to fill them again.
KEPT = {"django_content_type", "auth_permission"}


@pytest.fixture(scope="session", autouse=True)
def _quick_to_empty() -> None:
    """Lets a transactional test end with DELETE, and without the signal that fills the tables in KEPT."""
    operations = type(connection.ops)
    sql_flush = operations.sql_flush

    def flush(self: Any, style: Any, tables: list[str], **options: Any) -> list[str]:
        emptied = [table for table in tables if table not in KEPT]
        if connection.vendor != "postgresql":
            return sql_flush(self, style, emptied, **options)
        return [EMPTY % ", ".join(f"'{self.quote_name(table)}'" for table in emptied)]

    operations.sql_flush = flush
    import_module("django.core.management.commands.flush").emit_post_migrate_signal = lambda *args: None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Puts back the rows that the migrations made, after a transactional test has emptied every table."""
    yield
    if nextitem is None:  # the test database is gone by now
        return
    mark = item.get_closest_marker("django_db")
    if mark is not None and mark.kwargs.get("transaction") and not item.get_closest_marker("skip"):
        moderator_role = import_module("reports.migrations.0002_moderator_role")
        with item.config.stash[blocking_manager_key].unblock():
            moderator_role.add_role(apps, None)
            connection.close()


#: The least number of requests that all fuzzing tests together generate, and the number of these tests.
FUZZED_AT_LEAST, FUZZING_TESTS = int(os.environ.get("FUZZ_AT_LEAST", "3000")), 80


def _fuzzed(config: pytest.Config) -> list[int]:
    """The number of requests that each test generated."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    every = [one for kind in reporter.stats.values() for one in kind]
    done = [one for one in every if isinstance(one, pytest.TestReport) and one.when == "call"]
    return [count for one in done for name, count in one.user_properties if name == "cases"]


def _fuzzed_too_little(config: pytest.Config) -> bool:
    counts = _fuzzed(config)
    return len(counts) >= FUZZING_TESTS and sum(counts) < FUZZED_AT_LEAST


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if counts := _fuzzed(config):
        few = f", and {FUZZED_AT_LEAST} are the least" if _fuzzed_too_little(config) else ""
        terminalreporter.line(f"{sum(counts)} generated requests{few}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fails a run of all fuzzing tests that generated too few requests."""
    if hasattr(session.config, "workerinput"):  # a worker of pytest-xdist, which knows its own tests only
        return
    if _fuzzed_too_little(session.config) and not exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def channels_on(settings: Settings) -> None:
    """Twilio is on; no worker sends anything to it."""
    settings.TWILIO = Twilio(
        account="AC" + "1" * 32,
        tokens={"AC" + "1" * 32: ("token-of-the-account-0123456789",)},
        numbers=("+15005550006", "whatsapp:+15005550006"),
        countries=frozenset({"US", "DE"}),
        inbox="root",
    )


@pytest.fixture
def client() -> APIClient:
    """A client that is not logged in."""
    return APIClient()


@pytest.fixture
def as_user() -> ApiClient:
    """`as_user(alice)` is a client with a session of hers; `.session_row` and `.tokens` hold both."""

    def log_in(user: User, **session: Any) -> APIClient:
        client = APIClient()
        client.session_row, client.tokens = open_session(user, **session)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {client.tokens.access_token}")
        return client

    return log_in


@pytest.fixture
def as_program() -> ApiClient:
    """`as_program(alice, "messages:read")` is a client with a personal token; `.token_row` is its row."""

    def make(user: User, *scopes: str, **token: Any) -> APIClient:
        client = APIClient()
        client.token_row, client.raw_token = make_token(user, name="Backup", scopes=scopes, **token)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {client.raw_token}")
        return client

    return make


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """`browser_of(alice)` is a browser in which she is logged in to the admin. Its request id is `req-1`."""

    def log_in(user: User) -> Client:
        browser = Client(headers={"X-Request-ID": "req-1"})
        browser.force_login(user, backend="accounts.backends.AccountBackend")
        return browser

    return log_in


@pytest.fixture
def assistant_on(settings: Settings) -> None:
    """There is an assistant, and no worker that answers for it."""
    there = {"on": True, "model": "gpt-x", "url": "http://127.0.0.1:9/v1", "sync_seconds": 0}
    settings.ASSISTANT = replace(settings.ASSISTANT, **there)


@pytest.fixture
def issuer_on(settings: Settings) -> None:
    """The operator's own backend may send its users (tests/assertions.py)."""
    settings.ISSUER, settings.ISSUER_KEY = ISSUER, ISSUER_KEY


@pytest.fixture
def alice(db: None) -> User:
    return UserFactory(username="alice", full_name="Alice Archer")


@pytest.fixture
def bob(db: None) -> User:
    return UserFactory(username="bob", full_name="Bob Baker")


@pytest.fixture
def carol(db: None) -> User:
    return UserFactory(username="carol", full_name="Carol Cooper")


@pytest.fixture
def mallory(db: None) -> User:
    return UserFactory(username="mallory", full_name="Mallory Mason")


@pytest.fixture
def superuser(db: None) -> User:
    return UserFactory(username="root", full_name="Ruth Root", is_superuser=True)


@pytest.fixture
def moderator(superuser: User) -> User:
    user = UserFactory(username="moderator", full_name="Mo Derator")
    assign_roles(user, Group.objects.filter(name=MODERATOR), actor=superuser)
    user.refresh_from_db()
    return user


@pytest.fixture
def clerk(db: None) -> User:
    """Staff without a role."""
    return UserFactory(username="clerk", is_staff=True)
