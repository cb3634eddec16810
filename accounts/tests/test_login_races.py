"""A login that races with a change of password, a logout everywhere or a disabling.

It comes wholly before, and its session is ended, or wholly after, and is judged by what is then.
"""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Session, User
from accounts.services.users import disable_user
from aimessage.tests.threads import run_together
from conftest import ApiClient
from tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

RACERS = 6
NEW = "amber-kettle-77"


def log_in(password: str = PASSWORD) -> Any:
    return APIClient().post("/auth/login", {"username": "alice", "password": password})


@pytest.mark.parametrize("round_", range(2))
def test_no_session_of_the_old_password_outlives_its_change(
    as_user: ApiClient, alice: User, settings: Settings, round_: int
) -> None:
    settings.LOCKOUT_FAILURES = 0
    phone = as_user(alice)
    sent = {"current_password": PASSWORD, "new_password": NEW}

    changed, *logins = run_together(lambda: phone.put("/auth/me/password", sent), *[log_in] * RACERS)

    assert changed.status_code == 200
    assert {login.status_code for login in logins} <= {200, 401}
    assert list(Session.objects.live()) == [phone.session_row]
    assert (log_in().status_code, log_in(NEW).status_code) == (401, 200)


@pytest.mark.parametrize("round_", range(2))
def test_no_session_outlives_a_disabling(alice: User, round_: int) -> None:
    root = UserFactory(username="root", is_superuser=True)

    _, *logins = run_together(lambda: disable_user(alice, actor=root), *[log_in] * RACERS)

    assert {login.status_code for login in logins} <= {200, 401, 403}
    assert not Session.objects.live().filter(user=alice).exists()


@pytest.mark.parametrize("round_", range(2))
def test_a_logout_everywhere_ends_every_login_that_was_answered_before(
    as_user: ApiClient, alice: User, round_: int
) -> None:
    phone = as_user(alice)

    answer, *logins = run_together(lambda: phone.post("/auth/logout-all"), *[log_in] * RACERS)

    assert answer.status_code == 200
    assert {login.status_code for login in logins} == {200}
    # Those before it are dead and those after it live: never one in between.
    ended = Session.objects.filter(is_active=False).order_by("-pk").first()
    assert ended is not None
    assert not Session.objects.filter(is_active=True, pk__lt=ended.pk).exists()


def test_many_right_logins_at_once_all_succeed(alice: User) -> None:
    answers = run_together(*[log_in] * 12)

    assert [answer.status_code for answer in answers] == [200] * 12
    assert Session.objects.live().count() == 12
