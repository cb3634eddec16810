from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from accounts import lockout
from accounts.models import FailedLogin, User
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together
from tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

WRONG = "not-her-password"


def log_in(password: str = WRONG, username: str = "alice") -> Any:
    return APIClient().post("/auth/login", {"username": username, "password": password})


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were checked, each of which costs a hash."""
    check, passwords = ModelBackend.authenticate, []

    def note_and_check(self: Any, request: Any, **credentials: Any) -> Any:
        passwords.append(credentials["password"])
        return check(self, request, **credentials)

    monkeypatch.setattr(ModelBackend, "authenticate", note_and_check)
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


def test_others_log_in_while_one_is_checked(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the few who share a line with him."""
    lines = {f"bob{n}": hash((f"bob{n}", "127.0.0.1")) % len(lockout._LINES) for n in range(50)}
    hers = hash(("alice", "127.0.0.1")) % len(lockout._LINES)
    bob = UserFactory(username=next(name for name, line in lines.items() if line != hers))
    check, both = ModelBackend.authenticate, Barrier(2)

    def meet_and_check(self: Any, request: Any, **credentials: Any) -> Any:
        both.wait(timeout=20)
        return check(self, request, **credentials)

    monkeypatch.setattr(ModelBackend, "authenticate", meet_and_check)

    answers = run_together(lambda: log_in(PASSWORD), lambda: log_in(PASSWORD, bob.username))

    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_login_that_fails_for_another_reason_leaves_the_line(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(ModelBackend, "authenticate", fail)
        assert_problem(log_in(PASSWORD), 503)

    assert log_in(PASSWORD).status_code == 200


def test_a_right_guess_among_too_many_wrong_ones_is_not_told_apart(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All passwords are checked before the first failure is stored, the right one is judged last."""
    check = ModelBackend.authenticate

    def check_then_fail_five_times(self: Any, request: Any, **credentials: Any) -> Any:
        user = check(self, request, **credentials)
        if user is not None:
            # In another process, since in this one they would wait.
            for _ in range(5):
                FailedLogin.objects.create(
                    username="alice", ip_address="127.0.0.1", path_info="/auth/login", locked_out=False
                )
        return user

    monkeypatch.setattr(ModelBackend, "authenticate", check_then_fail_five_times)

    assert_problem(log_in(PASSWORD), 429, "Too many failed logins, try again later")
    assert FailedLogin.objects.count() == 5
