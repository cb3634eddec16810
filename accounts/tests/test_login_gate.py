"""The gate that both doors share: who passes with which password, and what is told while it is shut."""

from typing import Any

import pytest
from django.contrib.auth import user_logged_in
from django.test import RequestFactory
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.backends import AccountBackend
from accounts.models import User
from accounts.services.logins import check_credentials
from accounts.tests.test_lockout import LOCKED, NOON, fail
from aimessage.api.problems import TooManyRequests
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_() -> Any:
    return RequestFactory().post("/auth/login", REMOTE_ADDR="192.0.2.7")


def test_whoever_is_disabled_has_no_admin_session(alice: User) -> None:
    backend = AccountBackend()
    assert backend.get_user(alice.pk) == alice

    User.objects.update(is_active=False)
    assert backend.get_user(alice.pk) is None
    assert backend.get_user(alice.pk + 1) is None


def test_the_wait_that_is_told_is_that_of_the_pair(
    client: APIClient, alice: User, request_: Any, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    fail(client)
    time_machine.shift(300)

    with pytest.raises(TooManyRequests) as error:
        check_credentials(request_, username="alice", password=PASSWORD)

    assert (error.value.detail, error.value.retry_after) == (LOCKED, 600)


def test_a_login_is_told_to_whoever_listens_for_users(alice: User, request_: Any) -> None:
    heard: list[Any] = []

    def listen(sender: Any, **said: Any) -> None:
        heard.append((said["request"], said["user"]))

    user_logged_in.connect(listen, sender=User)
    try:
        assert check_credentials(request_, username="alice", password=PASSWORD) == (alice, True)
    finally:
        user_logged_in.disconnect(listen, sender=User)
    assert heard == [(request_, alice)]
