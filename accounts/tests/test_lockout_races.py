from threading import Barrier
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from accounts.backends import AccountBackend
from accounts.models import FailedLogin, User
from aimessage.api.guesses import HashQueue
from aimessage.audit.models import Entry
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together
from conftest import ApiClient
from tests.factories import PASSWORD, FailedLoginFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

WRONG = "not-her-password"


def log_in(password: str = WRONG, username: str = "alice") -> Any:
    return APIClient().post("/auth/login", {"username": username, "password": password})


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were checked, each of which costs a hash."""
    check, passwords = AccountBackend.authenticate, []

    def note_and_check(self: Any, request: Any, **credentials: Any) -> Any:
        passwords.append(credentials["password"])
        return check(self, request, **credentials)

    monkeypatch.setattr(AccountBackend, "authenticate", note_and_check)
    return passwords


@pytest.mark.parametrize("username", ["alice", "nobody"])
def test_of_many_wrong_passwords_at_once_five_are_checked(
    alice: User, checked: list[str], username: str
) -> None:
    answers = run_together(*[lambda: log_in(username=username)] * 16)

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 11
    for answer in answers:
        assert_problem(answer, answer.status_code)
    assert FailedLogin.objects.count() == len(checked) == 5


def test_the_admin_and_the_api_wait_in_one_line(superuser: User, checked: list[str]) -> None:
    form = {"username": "root", "password": WRONG}
    enter = [lambda: Client().post("/admin/login/", form), lambda: log_in(username="root")]

    answers = run_together(*enter * 8)

    assert FailedLogin.objects.count() == len(checked) == 5
    assert sum(answer.status_code == 429 for answer in answers) == 11


def test_others_log_in_while_one_is_checked(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.guesses.QUEUE", HashQueue(2))
    check, both = AccountBackend.authenticate, Barrier(2)

    def meet_and_check(self: Any, request: Any, **credentials: Any) -> Any:
        both.wait(timeout=20)
        return check(self, request, **credentials)

    monkeypatch.setattr(AccountBackend, "authenticate", meet_and_check)

    answers = run_together(lambda: log_in(PASSWORD), lambda: log_in(PASSWORD, bob.username))

    assert [answer.status_code for answer in answers] == [200, 200]


def test_where_many_are_checked_at_once_five_are_told_that_they_are_wrong(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in several processes: all of them see that nobody is locked out, before any failure is stored."""
    monkeypatch.setattr("accounts.guesses.QUEUE", HashQueue(12))
    check, all_of_them = AccountBackend.authenticate, Barrier(12)

    def meet_and_check(self: Any, request: Any, **credentials: Any) -> Any:
        all_of_them.wait(timeout=20)
        return check(self, request, **credentials)

    monkeypatch.setattr(AccountBackend, "authenticate", meet_and_check)

    answers = run_together(*[log_in] * 12)

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7
    assert FailedLogin.objects.filter(locked_out=False).count() == 4
    assert FailedLogin.objects.filter(locked_out=True).count() == 1


def test_wrong_current_passwords_count_exactly_too(as_user: ApiClient, alice: User) -> None:
    phones = [as_user(alice) for _ in range(3)]
    sent = {"current_password": WRONG, "new_password": "amber-kettle-77"}

    answers = run_together(
        *[lambda phone=phone: phone.put("/auth/me/password", sent) for phone in phones * 4]
    )

    assert sorted(answer.status_code for answer in answers) == [400] * 5 + [429] * 7
    assert FailedLogin.objects.count() == 5


def test_of_many_who_are_locked_out_at_once_one_is_recorded(superuser: User) -> None:
    for _ in range(5):
        log_in(username="root")
    form = {"username": "root", "password": WRONG}

    answers = run_together(*[lambda: Client().post("/admin/login/", form)] * 8)

    assert {answer.status_code for answer in answers} == {429}
    assert [entry.act for entry in Entry.objects.all()] == ["admin.login_locked"]


def test_of_two_who_unlock_at_once_one_does(superuser: User, alice: User, browser_of: Any) -> None:
    for _ in range(5):
        log_in()
    browsers = [browser_of(superuser) for _ in range(4)]
    url = f"/admin/accounts/user/{alice.pk}/unlock/"

    run_together(*[lambda one=one: one.post(url, {"address": "127.0.0.1"}) for one in browsers])

    assert [entry.act for entry in Entry.objects.all()] == ["user.unlocked"]
    assert not FailedLogin.objects.exists()


def test_of_two_who_forget_failures_at_once_one_does(superuser: User, alice: User, browser_of: Any) -> None:
    for _ in range(3):
        log_in()
    browsers = [browser_of(superuser) for _ in range(4)]
    chosen = {"action": "forget", "_selected_action": list(FailedLogin.objects.values_list("pk", flat=True))}

    run_together(*[lambda one=one: one.post("/admin/accounts/failedlogin/", chosen) for one in browsers])

    assert [entry.act for entry in Entry.objects.all()] == ["failedlogin.deleted"] * 3


def test_a_login_that_fails_for_another_reason_leaves_the_line(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(AccountBackend, "authenticate", fail)
        assert_problem(log_in(PASSWORD), 503)

    assert log_in(PASSWORD).status_code == 200


def test_a_right_guess_among_too_many_wrong_ones_is_not_told_apart(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All passwords are checked before the first failure is stored, the right one is judged last."""
    check = AccountBackend.authenticate

    def check_then_fail_five_times(self: Any, request: Any, **credentials: Any) -> Any:
        user = check(self, request, **credentials)
        if user is not None:
            # In another process, since in this one they would wait.
            for _ in range(5):
                FailedLoginFactory(user=alice, ip_address="127.0.0.1")
        return user

    monkeypatch.setattr(AccountBackend, "authenticate", check_then_fail_five_times)

    assert_problem(log_in(PASSWORD), 429, "Too many failed logins, try again later")
    assert FailedLogin.objects.count() == 5
