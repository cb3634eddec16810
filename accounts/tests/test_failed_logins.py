"""The rows behind the lockout: what each says, when it counts, and for how long it is kept."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.guesses import (
    digest_of,
    guessing,
    locked_users,
    lockouts_of,
    sweep,
    unlock,
    unlock_everywhere,
)
from accounts.models import FailedLogin, User
from accounts.services.users import delete_user
from accounts.tests.test_lockout import NOON, WRONG, fail, log_in
from aimessage.api.guesses import LockedOut
from aimessage.api.problems import NotFound
from aimessage.models import ThrottleWindow
from aimessage.tests.asserts import assert_problem
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_a_row_says_who_from_where_with_what(client: APIClient, alice: User) -> None:
    client.post(
        "/auth/login",
        {"username": "Alice", "password": WRONG},
        REMOTE_ADDR="192.0.2.7",
        HTTP_USER_AGENT="curl/8.1",
    )

    row = FailedLogin.objects.get()
    assert (row.user, row.username, row.ip_address) == (alice, "alice", "192.0.2.7")
    assert (row.path_info, row.user_agent, row.locked_out) == ("/auth/login", "curl/8.1", False)


def test_what_a_client_sends_is_cut_to_what_the_columns_hold() -> None:
    made = RequestFactory().post(f"/{'p' * 300}", REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="u" * 300)

    with guessing(made, "N" * 300) as guess:
        guess.wrong()

    row = FailedLogin.objects.get()
    assert (row.user_agent, row.path_info) == ("u" * 255, f"/{'p' * 254}")


def test_whoever_names_neither_client_nor_name_is_counted_too() -> None:
    with guessing(RequestFactory().post("/auth/login", REMOTE_ADDR=""), "") as guess:
        guess.wrong()

    row = FailedLogin.objects.get()
    assert (row.user, row.client, row.ip_address, row.user_agent) == (None, "", None, "")


def test_the_failures_of_an_account_go_with_it(client: APIClient, alice: User, superuser: User) -> None:
    fail(client, times=2)
    fail(client, times=1, username="nobody")

    delete_user(alice, actor=superuser)

    assert FailedLogin.objects.get().user is None


def test_a_name_keeps_its_failures_when_somebody_registers_it(client: APIClient, db: None) -> None:
    fail(client, times=5, username="dora")
    account = {"username": "dora", "email": "dora@example.org", "password": PASSWORD}
    assert client.post("/auth/register", account).status_code == 201

    assert_problem(log_in(client, "dora", PASSWORD), 429)
    dora = User.objects.get()
    assert [lockout.client for lockout in lockouts_of(dora)] == ["192.0.2.7"]
    call_command("unlock", "DORA")
    assert log_in(client, "dora", PASSWORD).status_code == 200


def test_the_row_with_which_a_lockout_begins_is_marked(client: APIClient, alice: User) -> None:
    fail(client)

    marks = list(FailedLogin.objects.order_by("pk").values_list("locked_out", flat=True))
    assert marks == [False, False, False, False, True]


@pytest.mark.parametrize("what", ["wrong", "right"])
def test_a_guess_that_others_overtook_is_refused_and_not_counted(
    client: APIClient, alice: User, what: str
) -> None:
    made = RequestFactory().post("/auth/login", REMOTE_ADDR="192.0.2.7")
    with guessing(made, "alice") as guess:
        fail(client)
        with pytest.raises(LockedOut):
            getattr(guess, what)()

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
    settings: Settings,
    time_machine: TimeMachineFixture,
    seconds: int,
    locks: bool,
) -> None:
    settings.LOCKOUT_FAILURES = 2
    settings.LOCKOUT_WINDOW = timedelta(minutes=1)
    for at in (NOON, NOON + timedelta(seconds=seconds)):
        time_machine.move_to(at, tick=False)
        fail(client, times=1)

    # At the very edge the first is over as the second comes, yet within its window.
    assert FailedLogin.objects.filter(locked_out=True).exists() is (seconds < 60)
    assert log_in(client, password=PASSWORD).status_code == (429 if locks else 200)


def test_the_edge_of_the_window_is_the_same_in_the_list(
    client: APIClient, alice: User, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.LOCKOUT_FAILURES = 2
    settings.LOCKOUT_WINDOW = timedelta(minutes=1)
    for at in (NOON, NOON + timedelta(minutes=1)):
        time_machine.move_to(at, tick=False)
        fail(client, times=1)

    assert [one.until for one in lockouts_of(alice)] == [NOON + timedelta(minutes=2)]
    assert list(locked_users()) == [alice.pk]
    time_machine.move_to(NOON + timedelta(minutes=2), tick=False)
    assert (lockouts_of(alice), list(locked_users())) == ([], [])


def test_a_name_locked_out_from_two_addresses_is_named_for_each(client: APIClient, alice: User) -> None:
    fail(client)
    fail(client, address="192.0.2.8")
    fail(client, times=6 - 1, username="nobody")

    assert list(locked_users()) == [alice.pk, alice.pk]


def test_a_lockout_of_hours_is_listed_as_long_as_it_lasts(
    client: APIClient, alice: User, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.LOCKOUT_WINDOW = timedelta(hours=5)
    time_machine.move_to(NOON, tick=False)
    fail(client)

    time_machine.move_to(NOON + timedelta(hours=4, minutes=59), tick=False)
    assert list(locked_users()) == [alice.pk]
    time_machine.move_to(NOON + timedelta(hours=5), tick=False)
    assert list(locked_users()) == []


def test_a_command_lifts_every_lockout_of_a_name(
    client: APIClient, alice: User, bob: User, capsys: pytest.CaptureFixture[str]
) -> None:
    for username in ("alice", "bob"):
        for address in ("192.0.2.7", "2001:db8::1"):
            fail(client, username=username, address=address)

    call_command("unlock", "ALICE")
    call_command("unlock", "alice")

    assert capsys.readouterr().out.splitlines() == ["Unlocked.", "Not locked out."]
    assert (lockouts_of(alice), len(lockouts_of(bob))) == ([], 2)
    with pytest.raises(CommandError, match=r"^There is no such user\.$"):
        call_command("unlock", "nobody")


def test_unlocking_leaves_what_is_somebody_elses(
    client: APIClient, alice: User, bob: User, superuser: User
) -> None:
    for username in ("alice", "bob"):
        for address in ("192.0.2.7", "192.0.2.8"):
            fail(client, username=username, address=address)

    unlock_everywhere(alice, by=superuser.pk)

    assert lockouts_of(alice) == []
    assert len(lockouts_of(bob)) == 2
    with pytest.raises(NotFound, match=r"^There is no such lockout any more$"):
        unlock(alice, client="192.0.2.7", actor=superuser)


@pytest.mark.parametrize("days", [1, 40])
def test_failures_are_kept_for_a_month_or_as_long_as_they_count(
    client: APIClient, settings: Settings, time_machine: TimeMachineFixture, days: int
) -> None:
    settings.LOCKOUT_WINDOW = timedelta(days=days)
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

    page = Client(REMOTE_ADDR="192.0.2.7").post("/admin/login/", {"username": "alice", "password": WRONG})

    assert (page.status_code, page.headers["Retry-After"]) == (429, str(900 - seconds))
    assert f"in {minutes} minute" in page.content.decode()


def test_a_login_forgets_the_failures_of_its_own_pair_alone(client: APIClient, alice: User) -> None:
    fail(client, times=2)
    fail(client, times=1, address="192.0.2.8")
    fail(client, times=1, username="bob")

    assert log_in(client, password=PASSWORD).status_code == 200

    left = FailedLogin.objects.values_list("name_digest", "ip_address")
    assert set(left) == {(digest_of("alice"), "192.0.2.8"), (digest_of("BOB"), "192.0.2.7")}
    assert_problem(log_in(client), 401)
