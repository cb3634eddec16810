from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from rest_framework.test import APIClient

from accounts.models import FailedLogin, User
from aimessage.tests.asserts import assert_problem
from aimessage.tests.threads import run_together
from tests.factories import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

WRONG = "not-her-password"


def log_in(password: str = WRONG, username: str = "alice") -> Any:
    return APIClient().post("/auth/login", {"username": username, "password": password})


@pytest.mark.parametrize("username", ["alice", "nobody"])
def test_of_many_wrong_passwords_at_once_five_are_answered(alice: User, username: str) -> None:
    answers = run_together(*[lambda: log_in(username=username)] * 16)

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 11
    for answer in answers:
        assert_problem(answer, answer.status_code)
    assert FailedLogin.objects.count() == 5


def test_a_right_guess_among_too_many_wrong_ones_is_not_told_apart(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All passwords are checked before the first failure is stored, the right one is judged last."""
    check = ModelBackend.authenticate

    def check_then_fail_five_times(self: Any, request: Any, **credentials: Any) -> Any:
        user = check(self, request, **credentials)
        if user is not None:
            run_together(*[log_in] * 5)
        return user

    monkeypatch.setattr(ModelBackend, "authenticate", check_then_fail_five_times)

    assert_problem(log_in(PASSWORD), 429, "Too many failed logins, try again later")
    assert FailedLogin.objects.count() == 5
