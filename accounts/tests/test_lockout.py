from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.guesses import Lockout, locked_users, lockouts_of, unlock
from accounts.models import FailedLogin, Session, User
from aimessage.api.problems import NotFound
from aimessage.tests.asserts import assert_problem
from tests.factories import PASSWORD

WRONG = "not-her-password"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOCKED = "Too many failed logins, try again later"

pytestmark = pytest.mark.django_db


def log_in(
    client: APIClient, username: str = "alice", password: str = WRONG, address: str = "192.0.2.7"
) -> Any:
    return client.post("/auth/login", {"username": username, "password": password}, REMOTE_ADDR=address)


def fail(client: APIClient, times: int = 5, **login: str) -> None:
    for _ in range(times):
        assert_problem(log_in(client, **login), 401, "Incorrect username or password")


def test_five_wrong_passwords_lock_the_pair_for_a_quarter_of_an_hour(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client)

    answer = log_in(client, password=PASSWORD)

    assert_problem(answer, 429, LOCKED)
    assert answer.headers["Retry-After"] == "900"
    assert not Session.objects.exists()


def test_the_lockout_ends_by_itself(client: APIClient, alice: User, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client)

    time_machine.move_to(NOON + timedelta(minutes=15, seconds=-1))
    assert log_in(client, password=PASSWORD).headers["Retry-After"] == "1"
    time_machine.move_to(NOON + timedelta(minutes=15))
    assert log_in(client, password=PASSWORD).status_code == 200


def test_attempts_while_locked_out_do_not_prolong_it(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client)
    time_machine.move_to(NOON + timedelta(minutes=10))

    assert_problem(log_in(client), 429, LOCKED)

    assert FailedLogin.objects.count() == 5
    time_machine.move_to(NOON + timedelta(minutes=15))
    assert log_in(client, password=PASSWORD).status_code == 200


def test_failures_that_lie_far_apart_do_not_add_up(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    for minutes in range(0, 10 * 4, 4):  # never five within fifteen minutes
        time_machine.move_to(NOON + timedelta(minutes=minutes), tick=False)
        fail(client, times=1)

    assert log_in(client, password=PASSWORD).status_code == 200


def test_another_address_and_another_name_are_not_locked_out(
    client: APIClient, alice: User, bob: User
) -> None:
    fail(client)

    assert log_in(client, password=PASSWORD, address="192.0.2.8").status_code == 200
    assert log_in(client, username="bob", password=PASSWORD).status_code == 200
    assert_problem(log_in(client, password=PASSWORD), 429, LOCKED)


def test_the_case_of_the_name_walks_around_no_lockout(client: APIClient, alice: User) -> None:
    for name in ("alice", "ALICE", "Alice", "aLICE", "\uff21lice"):
        fail(client, times=1, username=name)

    assert_problem(log_in(client, password=PASSWORD), 429, LOCKED)


def test_an_unknown_name_is_locked_out_like_a_known_one(client: APIClient, db: None) -> None:
    fail(client, username="nobody")

    assert_problem(log_in(client, username="nobody"), 429, LOCKED)


def test_a_login_that_succeeds_starts_the_count_anew(client: APIClient, alice: User) -> None:
    fail(client, times=4)
    assert log_in(client, password=PASSWORD).status_code == 200

    fail(client, times=4)

    assert log_in(client, password=PASSWORD).status_code == 200
    assert not FailedLogin.objects.exists()


def test_the_right_password_of_a_disabled_account_is_no_failure(client: APIClient, alice: User) -> None:
    User.objects.update(is_active=False)
    for _ in range(6):
        assert_problem(log_in(client, password=PASSWORD), 403, "User is disabled")


def test_a_request_that_is_refused_as_malformed_is_no_failure(client: APIClient, alice: User) -> None:
    for _ in range(6):
        assert_problem(log_in(client, password=""), 400)

    assert log_in(client, password=PASSWORD).status_code == 200


def test_the_settings_say_how_many_and_how_long(
    client: APIClient, alice: User, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.LOCKOUT_FAILURES = 2
    settings.LOCKOUT_WINDOW = timedelta(minutes=1)
    time_machine.move_to(NOON, tick=False)
    fail(client, times=2)

    assert log_in(client, password=PASSWORD).headers["Retry-After"] == "60"
    time_machine.move_to(NOON + timedelta(minutes=1))
    assert log_in(client, password=PASSWORD).status_code == 200


def test_a_limit_of_zero_lifts_it(client: APIClient, alice: User, settings: Settings) -> None:
    settings.LOCKOUT_FAILURES = 0
    fail(client, times=7)

    assert log_in(client, password=PASSWORD).status_code == 200


def test_the_api_and_the_admin_count_together(client: APIClient, superuser: User) -> None:
    fail(client, times=3, username="root")
    browser = Client(REMOTE_ADDR="192.0.2.7")
    form = {"username": "root", "password": "wrong-password"}

    pages = [browser.post("/admin/login/", form) for _ in range(2)]
    locked = browser.post("/admin/login/", {**form, "password": PASSWORD})

    assert [page.status_code for page in pages] == [200, 200]
    assert locked.status_code == 429
    assert locked.headers["Content-Type"].startswith("text/html")
    assert 1 <= int(locked.headers["Retry-After"]) <= 900
    assert_problem(log_in(client, username="root", password=PASSWORD), 429, LOCKED)


def test_a_command_lifts_the_lockout_of_a_name(client: APIClient, alice: User, bob: User) -> None:
    fail(client)
    fail(client, username="bob")

    call_command("unlock", "Alice")

    assert log_in(client, password=PASSWORD).status_code == 200
    assert_problem(log_in(client, username="bob", password=PASSWORD), 429, LOCKED)


def test_who_is_locked_out_is_known_as_long_as_it_lasts(
    client: APIClient, alice: User, bob: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client, username="ALICE")
    fail(client, times=4, username="bob")
    fail(client, username="nobody")
    time_machine.move_to(NOON + timedelta(minutes=5), tick=False)
    fail(client, address="198.51.100.1")

    assert lockouts_of(alice) == [
        Lockout("198.51.100.1", NOON + timedelta(minutes=20)),
        Lockout("192.0.2.7", NOON + timedelta(minutes=15)),
    ]
    assert lockouts_of(bob) == []
    assert set(locked_users()) == {alice.pk}

    time_machine.move_to(NOON + timedelta(minutes=15), tick=False)
    assert [lockout.client for lockout in lockouts_of(alice)] == ["198.51.100.1"]
    assert set(locked_users()) == {alice.pk}

    time_machine.move_to(NOON + timedelta(minutes=20), tick=False)
    assert lockouts_of(alice) == []
    assert set(locked_users()) == set()


def test_failures_that_lie_too_far_apart_lock_nobody_out(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    for minutes in (0, 10, 12, 14, 16):
        time_machine.move_to(NOON + timedelta(minutes=minutes), tick=False)
        fail(client, times=1)

    assert lockouts_of(alice) == []
    assert set(locked_users()) == set()
    assert log_in(client, password=PASSWORD).status_code == 200


def test_unlocking_lifts_the_lockout_at_one_address(
    client: APIClient, alice: User, superuser: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="auth")
    for address in ("192.0.2.7", "198.51.100.1"):
        fail(client, address=address)

    unlock(alice, client="192.0.2.7", actor=superuser)

    assert [lockout.client for lockout in lockouts_of(alice)] == ["198.51.100.1"]
    assert log_in(client, password=PASSWORD).status_code == 200
    assert f"failed logins forgotten: username=alice address=192.0.2.7 by={superuser.pk}" in caplog.messages
    with pytest.raises(NotFound):
        unlock(alice, client="203.0.113.9", actor=superuser)


def test_no_lockouts_where_the_lockout_is_lifted(client: APIClient, alice: User, settings: Settings) -> None:
    fail(client)
    settings.LOCKOUT_FAILURES = 0

    assert (lockouts_of(alice), list(locked_users())) == ([], [])


def test_what_a_client_calls_itself_is_kept_on_one_line(client: APIClient, db: None) -> None:
    wrong = {"username": "nobody", "password": "wrong-password-9"}

    answer = client.post("/auth/login", wrong, HTTP_USER_AGENT="Mozilla\0\x1b[2J\nforged")

    assert_problem(answer, 401)
    assert FailedLogin.objects.get().user_agent == r"Mozilla\x00\x1b[2J\nforged"
