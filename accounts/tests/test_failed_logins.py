"""The rows behind the lockout: what each says, when it counts, and for how long it is kept."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import RequestFactory
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.lockout import (
    LockoutHandler,
    locked_name,
    locked_names,
    lockout_response,
    lockouts_of,
    sweep,
    unlock,
    unlock_everywhere,
)
from accounts.models import FailedLogin, User
from accounts.tests.test_lockout import LOCKED, NOON, WRONG, fail, log_in
from aimessage.api.problems import NotFound
from aimessage.models import ThrottleWindow
from aimessage.tests.asserts import assert_problem
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def request(**headers: Any) -> Any:
    """A login on Django's own request, as django-axes hands it on."""
    made = RequestFactory().post("/auth/login", REMOTE_ADDR="192.0.2.7", **headers)
    made.axes_locked_out = False
    return made


def refuse(made: Any, **credentials: str) -> None:
    LockoutHandler().user_login_failed(sender=None, credentials=credentials, request=made)


def test_a_row_says_who_from_where_with_what(client: APIClient, alice: User) -> None:
    client.post(
        "/auth/login",
        {"username": "Alice", "password": WRONG},
        REMOTE_ADDR="192.0.2.7",
        HTTP_USER_AGENT="curl/8.1",
    )

    row = FailedLogin.objects.get()
    assert (row.username, row.ip_address, row.user_agent) == ("alice", "192.0.2.7", "curl/8.1")
    assert (row.path_info, row.locked_out) == ("/auth/login", False)


def test_what_a_client_sends_is_cut_to_what_the_columns_hold() -> None:
    made = RequestFactory().post(f"/{'p' * 300}", REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="u" * 300)
    made.axes_locked_out = False

    refuse(made, username="N" * 300)

    row = FailedLogin.objects.get()
    assert (row.username, row.user_agent, row.path_info) == ("n" * 255, "u" * 255, f"/{'p' * 254}")
    assert made.axes_credentials == {"username": "N" * 300}


def test_whoever_names_neither_client_nor_name_is_counted_too() -> None:
    refuse(request())

    row = FailedLogin.objects.get()
    assert (row.username, row.user_agent) == ("", "")
    assert locked_name(None, None) == ""


def test_without_a_request_nothing_is_counted() -> None:
    LockoutHandler().user_login_failed(sender=None, credentials={"username": "alice"})

    assert not FailedLogin.objects.exists()


def test_the_row_with_which_a_lockout_begins_is_marked(client: APIClient, alice: User) -> None:
    fail(client)

    marks = list(FailedLogin.objects.order_by("pk").values_list("locked_out", flat=True))
    assert marks == [False, False, False, False, True]


def test_a_guess_that_others_overtook_is_refused_and_not_counted(client: APIClient, alice: User) -> None:
    fail(client)
    overtaken = request()

    refuse(overtaken, username="alice")

    assert overtaken.axes_locked_out is True
    assert FailedLogin.objects.count() == 5


def test_guesses_wait_in_a_line_for_each_pair_of_name_and_address(client: APIClient, alice: User) -> None:
    for username, address in (("alice", "192.0.2.7"), ("ALICE", "192.0.2.7")):
        fail(client, times=1, username=username, address=address)
    line = ThrottleWindow.objects.get(key__startswith="lockout:")
    assert (line.count, len(line.key)) == (2, len("lockout:") + 64)

    fail(client, times=1, username="bob")
    fail(client, times=1, address="192.0.2.8")
    assert ThrottleWindow.objects.filter(key__startswith="lockout:").count() == 3


def test_a_line_lasts_as_long_as_the_window(client: APIClient, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client, times=1)

    assert ThrottleWindow.objects.get().ends_at == (NOON + timedelta(minutes=15)).timestamp()


@pytest.mark.parametrize(("seconds", "locks"), [(59, True), (60, True), (61, False)])
def test_failures_count_together_within_the_window(
    client: APIClient,
    alice: User,
    settings: Any,
    time_machine: TimeMachineFixture,
    seconds: int,
    locks: bool,
) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    settings.AXES_COOLOFF_TIME = timedelta(minutes=1)
    for at in (NOON, NOON + timedelta(seconds=seconds)):
        time_machine.move_to(at, tick=False)
        fail(client, times=1)

    # At the very edge the first is over as the second comes, yet within its window.
    assert FailedLogin.objects.filter(locked_out=True).exists() is (seconds < 60)
    assert log_in(client, password=PASSWORD).status_code == (429 if locks else 200)


def test_the_edge_of_the_window_is_the_same_in_the_list(
    client: APIClient, alice: User, settings: Any, time_machine: TimeMachineFixture
) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    settings.AXES_COOLOFF_TIME = timedelta(minutes=1)
    for at in (NOON, NOON + timedelta(minutes=1)):
        time_machine.move_to(at, tick=False)
        fail(client, times=1)

    assert [one.until for one in lockouts_of(alice)] == [NOON + timedelta(minutes=2)]
    assert list(locked_names()) == ["alice"]
    time_machine.move_to(NOON + timedelta(minutes=2), tick=False)
    assert (lockouts_of(alice), list(locked_names())) == ([], [])


def test_a_name_locked_out_from_two_addresses_is_named_for_each(client: APIClient, alice: User) -> None:
    fail(client)
    fail(client, address="192.0.2.8")
    fail(client, times=6 - 1, username="nobody")

    assert sorted(locked_names()) == ["alice", "alice", "nobody"]


def test_a_lockout_of_hours_is_listed_as_long_as_it_lasts(
    client: APIClient, alice: User, settings: Any, time_machine: TimeMachineFixture
) -> None:
    settings.AXES_COOLOFF_TIME = timedelta(hours=5)
    time_machine.move_to(NOON, tick=False)
    fail(client)

    time_machine.move_to(NOON + timedelta(hours=4, minutes=59), tick=False)
    assert list(locked_names()) == ["alice"]
    time_machine.move_to(NOON + timedelta(hours=5), tick=False)
    assert list(locked_names()) == []


def test_commands_lift_by_address_by_name_and_by_either(client: APIClient) -> None:
    def rows() -> set[tuple[str, str]]:
        return set(FailedLogin.objects.values_list("username", "ip_address"))

    def fill() -> None:
        FailedLogin.objects.all().delete()
        for name in ("alice", "bob"):
            for address in ("192.0.2.7", "192.0.2.8"):
                fail(client, times=1, username=name, address=address)

    handler = LockoutHandler()
    fill()
    assert handler.reset_attempts(username="ALICE") == 2
    assert rows() == {("bob", "192.0.2.7"), ("bob", "192.0.2.8")}
    fill()
    assert handler.reset_attempts(ip_address="192.0.2.7") == 2
    assert rows() == {("alice", "192.0.2.8"), ("bob", "192.0.2.8")}
    fill()
    assert handler.reset_attempts(username="alice", ip_address="192.0.2.7") == 1
    assert rows() == {("alice", "192.0.2.8"), ("bob", "192.0.2.7"), ("bob", "192.0.2.8")}
    fill()
    assert handler.reset_attempts(username="alice", ip_address="192.0.2.7", ip_or_username=True) == 3
    assert rows() == {("bob", "192.0.2.8")}
    fill()
    call_command("axes_reset")
    assert rows() == set()


def test_unlocking_leaves_what_is_somebody_elses(
    client: APIClient, alice: User, bob: User, superuser: User
) -> None:
    for username in ("alice", "bob"):
        for address in ("192.0.2.7", "192.0.2.8"):
            fail(client, username=username, address=address)

    unlock_everywhere(alice, actor=superuser)

    assert lockouts_of(alice) == []
    assert len(lockouts_of(bob)) == 2
    with pytest.raises(NotFound, match=r"^There is no such lockout any more$"):
        unlock(alice, address="192.0.2.7", actor=superuser)


@pytest.mark.parametrize("days", [1, 40])
def test_failures_are_kept_for_a_month_or_as_long_as_they_count(
    client: APIClient, settings: Any, time_machine: TimeMachineFixture, days: int
) -> None:
    settings.AXES_COOLOFF_TIME = timedelta(days=days)
    kept = timedelta(days=max(30, days))
    time_machine.move_to(NOON, tick=False)
    fail(client, times=2)

    time_machine.move_to(NOON + kept, tick=False)
    assert sweep() == {"failed logins": 0}
    time_machine.move_to(NOON + kept + timedelta(seconds=1), tick=False)
    assert sweep(dry_run=True) == {"failed logins": 2}
    assert FailedLogin.objects.count() == 2
    assert sweep() == {"failed logins": 2}
    assert not FailedLogin.objects.exists()


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 15), (1, 15), (59, 15), (60, 14), (899, 1)])
def test_the_admin_says_how_many_minutes_in_a_page(
    client: APIClient, alice: User, time_machine: TimeMachineFixture, seconds: int, minutes: int
) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client)
    time_machine.move_to(NOON + timedelta(seconds=seconds), tick=False)
    made = RequestFactory().post("/admin/login/", REMOTE_ADDR="192.0.2.7")

    page = lockout_response(made, None, {"username": "alice"})

    assert (page.status_code, page.headers["Retry-After"]) == (429, str(900 - seconds))
    assert f"in {minutes} minute" in page.content.decode()


def test_elsewhere_a_lockout_is_a_problem(
    client: APIClient, alice: User, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client)

    answer: Any = lockout_response(request(), None, {"username": "alice"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert LOCKED in answer.content.decode()
    # Whoever is not locked out, and is asked about all the same, waits for a whole window.
    nobody = lockout_response(request(), None, {"username": "nobody"})
    assert nobody.headers["Retry-After"] == "900"


def test_a_login_forgets_the_failures_of_its_own_pair_alone(client: APIClient, alice: User) -> None:
    fail(client, times=2)
    fail(client, times=1, address="192.0.2.8")
    fail(client, times=1, username="bob")

    assert log_in(client, password=PASSWORD).status_code == 200

    left = FailedLogin.objects.values_list("username", "ip_address")
    assert set(left) == {("alice", "192.0.2.8"), ("bob", "192.0.2.7")}
    assert_problem(log_in(client), 401)
